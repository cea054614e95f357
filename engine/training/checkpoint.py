"""A half-trained adapter on disk, so that a run that was stopped or killed goes on where it was,
with the same bits as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engine.model.adapters import AdapterWeights
from engine.training.learner import Learner
from engine.training.plan import TrainPlan
from store.files import remove_file, write_whole


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run started from: other rows, another start or another plan make another run."""

    dataset: str
    """Sha256 of the rows."""
    start: str
    """The adapter it began with: its id, or how a fresh one was made."""
    plan: TrainPlan

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def save_checkpoint(learner: Learner, path: Path, origin: Origin) -> None:
    """Write weights, the optimizer's state and how far the run is, whole or not at all."""
    tensors = _named("now", learner.stack.weights(learner.place))
    if learner.best is not None:
        tensors |= _named("best", learner.best)
    plain: dict[str, dict[str, Any]] = {}
    for i, state in learner.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{i}.{name}"] = value.detach().cpu().contiguous().clone()
            else:
                plain.setdefault(str(i), {})[name] = value
    report = learner.report
    done = {
        "step": report.step,
        "loss": report.loss,
        "accuracy": report.accuracy,
        "kept": report.kept,
        "confusion": report.confusion,
        "classes": report.classes,
        "measures": report.measures,
        "progress": report.progress,
        "running": learner.running,
        "stopped_early": learner.stopped_early,
        "optimizer": plain,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(tensors, {"origin": origin.text(), "done": json.dumps(done)}))


def resume(learner: Learner, path: Path, origin: Origin) -> bool:
    """Take up the run that `path` holds, if it is this one; whether it did.

    A checkpoint of another run, or one that cannot be read, is removed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("origin") != origin.text():
                raise ValueError("another run's")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        done = json.loads(metadata["done"])
        now, best = _weights("now", tensors), _weights("best", tensors)
        optimizer = _optimizer(learner, tensors, done["optimizer"])
        if now is None:
            raise ValueError("no weights")
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        remove_file(path)
        return False
    learner.stack.put(learner.place, now)
    learner.optimizer.load_state_dict(optimizer)
    learner.best, learner.running = best, done["running"]
    learner.stopped_early = done["stopped_early"]
    report = learner.report
    report.step, report.kept, report.progress = done["step"], done["kept"], done["progress"]
    report.loss = [(step, value) for step, value in done["loss"]]
    report.accuracy = [(step, value) for step, value in done["accuracy"]]
    report.confusion, report.classes = done["confusion"], done["classes"]
    report.measures = done["measures"]
    report.message = f"going on where it stopped, after step {report.step}"
    return True


def weights_of(path: Path) -> AdapterWeights | None:
    """The adapter that a checkpoint holds, in float32; None if there is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return _weights("now", {n: file.get_tensor(n) for n in file.keys()})  # noqa: SIM118
    except (OSError, KeyError, SafetensorError):
        return None


def _named(kind: str, weights: AdapterWeights) -> dict[str, Tensor]:
    return {f"{kind}.{name}": t.cpu().contiguous() for name, t in weights.tensors().items()}


def _weights(kind: str, tensors: dict[str, Tensor]) -> AdapterWeights | None:
    own: Iterable[tuple[str, Tensor]] = (
        (name.removeprefix(f"{kind}."), t)
        for name, t in tensors.items()
        if name.startswith(f"{kind}.")
    )
    found = dict(own)
    return AdapterWeights(**found) if found else None


def _optimizer(
    learner: Learner, tensors: dict[str, Tensor], plain: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """A state dict for the learner's optimizer."""
    whole = learner.optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {int(i): dict(values) for i, values in plain.items()}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            i, _, key = rest.partition(".")
            state.setdefault(int(i), {})[key] = value
    # Moments come in the parameters' order; torch keeps each in its parameter's dtype.
    return {"state": state, "param_groups": whole["param_groups"]}
