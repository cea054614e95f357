"""A half-trained encoder on disk, so that a run that was stopped or killed goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engine.knowledge.distil import Distillation, DistilPlan
from store.files import remove_file, write_whole


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run started from: another corpus, start or plan makes another run."""

    corpus_sha256: str
    start: str
    """Fingerprints of the encoder and bridge that it began with."""
    plan: DistilPlan

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def save_checkpoint(run: Distillation, path: Path, origin: Origin) -> None:
    """Write weights, the optimizer's moments and how far it is, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for i, parameter in enumerate(run.parameters):
        tensors[f"{i}.weight"] = parameter.detach()
        for name, value in run.optimizer.state[parameter].items():
            tensors[f"{i}.{name}"] = value
    done = {"step": run.step, "tokens": run.tokens, "seconds": run.seconds}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(tensors, {"origin": origin.text(), "done": json.dumps(done)}))


def resume(run: Distillation, path: Path, origin: Origin) -> bool:
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
        with torch.no_grad():
            for i, parameter in enumerate(run.parameters):
                parameter.copy_(tensors[f"{i}.weight"])
                run.optimizer.state[parameter] = {
                    name: tensors[f"{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")
                }
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        remove_file(path)
        return False
    run.step, run.tokens, run.seconds = done["step"], done["tokens"], done["seconds"]
    return True
