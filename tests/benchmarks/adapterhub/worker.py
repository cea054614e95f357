"""The library `adapters` in an environment of its own: loads a folder of ours, and makes its own.

Run by path with that environment's Python, so it imports nothing of this project. The order is a
JSON object on stdin; the answers are JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def model_of(checkpoint: str) -> Any:
    library = importlib.import_module("adapters")
    model = library.BertAdapterModel.from_pretrained(
        checkpoint, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return model.eval()


def pooled(model: Any, rows: list[list[int]]) -> list[list[float]]:
    """The mean over each row's tokens of the last layer, row by row."""
    with torch.no_grad():
        return [
            model.base_model(torch.tensor([row])).last_hidden_state[0].mean(0).tolist()
            for row in rows
        ]


def shaken(model: Any, name: str) -> None:
    """Numbers that do something and that float16 holds, in place of the library's start."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if f"adapters.{name}." in key:
                noise = torch.empty_like(parameter).normal_(0.0, 0.08, generator=generator)
                parameter.copy_(noise.half().float())


def configurations(library: Any, lower: list[int]) -> dict[str, Any]:
    """What the library offers, by what it is; the first fits."""
    double = library.DoubleSeqBnConfig
    return {
        "bottlenecks after both projections": double(
            non_linearity="gelu", reduction_factor=6, leave_out=lower
        ),
        "one after the feed-forward, scaled": double(
            non_linearity="gelu",
            reduction_factor=12,
            leave_out=lower,
            mh_adapter=False,
            scaling=2.0,
        ),
        "in all layers": double(non_linearity="gelu", reduction_factor=6),
        "swish": double(reduction_factor=6, leave_out=lower),
        "wide": double(non_linearity="gelu", reduction_factor=2, leave_out=lower),
        "after the norm (Pfeiffer)": library.SeqBnConfig(non_linearity="gelu", leave_out=lower),
        "parallel": library.ParBnConfig(non_linearity="gelu", leave_out=lower),
        "Compacter": library.CompacterConfig(leave_out=lower),
        "invertible": library.DoubleSeqBnInvConfig(non_linearity="gelu", leave_out=lower),
        "Adapter+": library.AdapterPlusConfig(leave_out=lower, stochastic_depth=0.0),
        "LoRA": library.LoRAConfig(leave_out=lower),
        "prefix tuning": library.PrefixTuningConfig(leave_out=lower),
        "prompt tuning": library.PromptTuningConfig(),
        "IA3": library.IA3Config(leave_out=lower),
        "ReFT": library.LoReftConfig(),
        "MAM (union)": library.MAMConfig(),
    }


def main() -> None:
    order = json.load(sys.stdin)
    library = importlib.import_module("adapters")
    rows, lower = order["rows"], list(range(order["split"]))
    model = model_of(order["checkpoint"])
    bare = pooled(model, rows)
    name = model.load_adapter(order["ours"], use_safetensors=True)
    model.set_active_adapters(name)
    loaded = pooled(model, rows)
    model.delete_adapter(name)
    made: dict[str, list[list[float]]] = {}
    for number, (what, config) in enumerate(configurations(library, lower).items()):
        folder = Path(order["folder"]) / str(number)
        name = f"kind{number}"
        model.add_adapter(name, config=config)
        shaken(model, name)
        model.set_active_adapters(name)
        made[what] = pooled(model, rows)
        try:
            model.save_adapter(str(folder), name, use_safetensors=True)
        except RuntimeError:
            # Those whose tensors share memory it can only pickle; their document is there.
            model.save_adapter(str(folder), name)
        model.delete_adapter(name)
    versions = {each: version(each) for each in ("adapters", "transformers", "torch")}
    print(json.dumps({"bare": bare, "loaded": loaded, "made": made, "versions": versions}))


if __name__ == "__main__":
    main()
