"""A pretrained model's folder: the checkpoint anybody can load, and what a stopped run needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from engine.errors import Conflict
from engine.knowledge.run_file import RunOrigin, keep_run, kept_run
from engine.training.pretrain.run import Pretraining, PretrainPlan
from engine.training.pretrain.vocabulary import END
from store.files import make_folder, remove_file
from store.whole_files import write_whole

UNFINISHED = "unfinished.safetensors"
REPORT = "pretrain.json"
_TIED = "lm_head.weight"


@dataclass(frozen=True, slots=True)
class PretrainOrigin(RunOrigin):
    """What makes a run this run; its budget may change while it lasts."""

    corpus_sha256: str
    plan: PretrainPlan


def write_model(folder: Path, model: Any, tokenizer: Any, report: Mapping[str, Any]) -> None:
    """Write config, float16 weights and tokenizer for transformers, and `report` beside them."""
    make_folder(folder)
    weights = {
        name: tensor.detach().half().contiguous()
        for name, tensor in model.state_dict().items()
        if name != _TIED
    }
    write_whole(folder / "model.safetensors", save(weights, {"format": "pt"}))
    config = model.config.to_diff_dict() | {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "dtype": "float16",
        "use_cache": True,
    }
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.config.n_positions,
        "bos_token": END,
        "eos_token": END,
        "unk_token": END,
        "clean_up_tokenization_spaces": False,
    }
    write_whole(folder / "config.json", _json(config))
    write_whole(folder / "tokenizer.json", tokenizer.to_str().encode())
    write_whole(folder / "tokenizer_config.json", _json(said))
    write_whole(folder / REPORT, _json(report))


def save_run(folder: Path, run: Pretraining, origin: PretrainOrigin, budget: int) -> None:
    """Keep what `resume_run` needs, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in run.model.named_parameters():
        tensors[f"{name}|weight"] = parameter.detach()
        for optimizer in run.optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{name}|{key}"] = value
    done = {name: getattr(run, name) for name in ("step", "turn", "place", "tokens", "loss")}
    make_folder(folder)
    keep_run(folder / UNFINISHED, origin, tensors, done | {"budget": budget})


def resume_run(folder: Path, run: Pretraining, origin: PretrainOrigin) -> int | None:
    """Take up the run that `folder` holds and return its budget; None if it holds none.

    Raises Conflict if it is another run's or a finished model's, Damaged if it cannot be read.
    """
    path = folder / UNFINISHED
    if not path.exists():
        if (folder / REPORT).exists():
            raise Conflict(
                f"{folder} holds a finished model.",
                remedy="Name another folder, or remove this one.",
            )
        return None
    kept = kept_run(path)
    if kept.origin != origin.text():
        raise Conflict(
            f"{folder} holds an unfinished run of another text or with other settings.",
            remedy=f"Give the same again, name another folder, or remove {path}.",
        )
    _restore(run, kept.tensors)
    budget = int(kept.done.pop("budget"))
    for name, value in kept.done.items():
        setattr(run, name, value)
    return budget


def finish_run(folder: Path) -> None:
    """Remove what only an unfinished run needs."""
    remove_file(folder / UNFINISHED)


def _restore(run: Pretraining, tensors: Mapping[str, Tensor]) -> None:
    by_name: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, key = name.partition("|")
        by_name.setdefault(parameter, {})[key] = tensor
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            kept = by_name[name]
            parameter.copy_(kept.pop("weight"))
            for optimizer in run.optimizers:
                owned = any(parameter is p for g in optimizer.param_groups for p in g["params"])
                if owned and kept:
                    optimizer.state[parameter] = dict(kept)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
