"""A half-trained adapter on disk, so that a run that was stopped or killed goes on where it was,
with the same bits as if it had never stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.errors import Damaged
from engine.knowledge.run_file import KeptRun, RunOrigin, go_on, keep_run, kept_run
from engine.model.adapters import AdapterWeights
from engine.training.learner import Learner
from engine.training.plan import TrainPlan


@dataclass(frozen=True, slots=True)
class Origin(RunOrigin):
    """What a run started from: other rows, another start or another plan make another run."""

    dataset: str
    """Sha256 of the rows."""
    start: str
    """The adapter it began with: its id, or how a fresh one was made."""
    plan: TrainPlan


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
    keep_run(path, origin, tensors, done)


def resume(learner: Learner, path: Path, origin: Origin) -> bool:
    """Take up the run that `path` holds, if it is this one; whether it did.

    A checkpoint of another run, or one that cannot be read, is removed.
    """

    def take_up(kept: KeptRun) -> None:
        done = kept.done
        now, best = _weights("now", kept.tensors), _weights("best", kept.tensors)
        if now is None:
            raise ValueError("no weights")
        learner.optimizer.load_state_dict(_optimizer(learner, kept.tensors, done["optimizer"]))
        learner.stack.put(learner.place, now)
        learner.best, learner.running = best, done["running"]
        learner.stopped_early = done["stopped_early"]
        report = learner.report
        report.step, report.kept, report.progress = done["step"], done["kept"], done["progress"]
        report.loss = [(step, value) for step, value in done["loss"]]
        report.accuracy = [(step, value) for step, value in done["accuracy"]]
        report.confusion, report.classes = done["confusion"], done["classes"]
        report.measures = done["measures"]
        report.message = f"going on where it stopped, after step {report.step}"

    return go_on(path, origin, take_up)


def weights_of(path: Path) -> AdapterWeights | None:
    """The adapter that a checkpoint holds, in float32; None if there is none."""
    try:
        return _weights("now", kept_run(path).tensors)
    except (FileNotFoundError, Damaged):
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
