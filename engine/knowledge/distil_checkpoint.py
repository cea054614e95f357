"""A half-trained encoder on disk, so that a run that was stopped or killed goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.knowledge.distil import Distillation
from engine.knowledge.distil_plan import DistilPlan
from engine.knowledge.run_file import KeptRun, RunOrigin, go_on, keep_run


@dataclass(frozen=True, slots=True)
class Origin(RunOrigin):
    """What a run started from: another corpus, start or plan makes another run."""

    corpus_sha256: str
    start: str
    """Fingerprints of the encoder and bridge that it began with."""
    plan: DistilPlan


def save_checkpoint(run: Distillation, path: Path, origin: Origin) -> None:
    """Write weights, the optimizer's moments and how far it is, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for i, parameter in enumerate(run.parameters):
        tensors[f"{i}.weight"] = parameter.detach()
        for name, value in run.optimizer.state[parameter].items():
            tensors[f"{i}.{name}"] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {"step": run.step, "tokens": run.tokens, "seconds": run.seconds}
    keep_run(path, origin, tensors, done)


def resume(run: Distillation, path: Path, origin: Origin) -> bool:
    """Take up the run that `path` holds, if it is this one; whether it did.

    A checkpoint of another run, or one that cannot be read, is removed.
    """

    def take_up(kept: KeptRun) -> None:
        names = ("weight", "step", "exp_avg", "exp_avg_sq")
        found = [
            {name: kept.tensors[f"{i}.{name}"] for name in names}
            for i in range(len(run.parameters))
        ]
        run.step, run.tokens, run.seconds = (kept.done[n] for n in ("step", "tokens", "seconds"))
        with torch.no_grad():
            for parameter, moments in zip(run.parameters, found, strict=True):
                parameter.copy_(moments.pop("weight"))
                run.optimizer.state[parameter] = moments

    return go_on(path, origin, take_up)
