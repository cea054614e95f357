"""One peer in its own environment: token ids in on stdin, seconds out on stdout, a line each.

Run by path with that environment's Python, so it imports nothing of this project. The first line
in is the order (a JSON object), the first line out says which versions answer and how many of the
tenants differ when all are asked the same: all of them, or adapters are not what is measured.
"""

from __future__ import annotations

import copy
import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

LORA_RANK = 36
"""At both places of an upper layer about as many parameters as bottlenecks of rank 64."""
BOTTLENECK = 64

Rows = Sequence[list[int]]
Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Ids and mask (B, L) -> top states (B, L, H), row i with tenant i's parameters."""


def base(order: dict[str, Any]) -> Any:
    """The backbone as transformers runs it."""
    transformers = importlib.import_module("transformers")
    model = transformers.BertModel.from_pretrained(
        order["checkpoint"],
        local_files_only=True,
        use_safetensors=True,
        add_pooling_layer=False,
        dtype=getattr(torch, order["dtype"]),
    )
    return model.eval()


def names(order: dict[str, Any]) -> list[str]:
    return [f"tenant_{i}" for i in range(order["tenants"])]


def upper(order: dict[str, Any], model: Any) -> range:
    return range(order["split"], model.config.num_hidden_layers)


def plain(order: dict[str, Any]) -> Forward:
    """No tenancy at all."""
    model = base(order)
    return lambda ids, mask: model(input_ids=ids, attention_mask=mask).last_hidden_state


def in_turn(order: dict[str, Any]) -> Forward:
    """A whole model for each tenant, one text after the other, unpadded."""
    first = base(order)
    models = [copy.deepcopy(first) for _ in names(order)]
    for number, model in enumerate(models):
        model.encoder.layer[-1].output.dense.bias.data += 0.1 * number

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        top = torch.zeros(*ids.shape, first.config.hidden_size, dtype=first.dtype)
        lengths = mask.sum(1).tolist()
        for row, (model, length) in enumerate(zip(models, lengths, strict=True)):
            top[row, :length] = model(input_ids=ids[row : row + 1, :length]).last_hidden_state[0]
        return top

    return forward


def peft(order: dict[str, Any]) -> Forward:
    """LoRA, a name for each row of the batch."""
    library, model = importlib.import_module("peft"), base(order)
    layers = "|".join(map(str, upper(order, model)))
    config = library.LoraConfig(
        r=LORA_RANK,
        lora_alpha=LORA_RANK,
        target_modules=rf".*layer\.({layers})\.(attention\.)?output\.dense",
        init_lora_weights=False,
    )
    first, *others = names(order)
    mixed = library.get_peft_model(model, config, first, autocast_adapter_dtype=False)
    for name in others:
        mixed.add_adapter(name, config, autocast_adapter_dtype=False)
    mixed.to(model.dtype).eval()
    tenants = names(order)

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        answer = mixed(input_ids=ids, attention_mask=mask, adapter_names=tenants)
        top: torch.Tensor = answer.last_hidden_state
        return top

    return forward


def adapterhub(order: dict[str, Any]) -> Forward:
    """Bottlenecks of our rank at our places, the batch split by row."""
    library, model = importlib.import_module("adapters"), base(order)
    library.init(model)
    config = library.DoubleSeqBnConfig(
        reduction_factor=model.config.hidden_size / BOTTLENECK,
        non_linearity="gelu",
        leave_out=list(range(order["split"])),
    )
    for name in names(order):
        model.add_adapter(name, config=config)
    split = importlib.import_module("adapters.composition").BatchSplit
    model.active_adapters = split(*names(order), batch_sizes=[1] * order["tenants"])
    for name, weights in model.named_parameters():
        if "adapters." in name:
            torch.nn.init.normal_(weights, std=0.05)
    model.to(model.dtype).eval()
    return lambda ids, mask: model(input_ids=ids, attention_mask=mask).last_hidden_state


def polylora(order: dict[str, Any]) -> Forward:
    """LoRA at the same places and rank as PEFT's, by slots."""
    library, model = importlib.import_module("polylora"), base(order)
    store = importlib.import_module("polylora.store")
    places = [
        f"encoder.layer.{layer}.{place}"
        for layer in upper(order, model)
        for place in ("attention.output.dense", "output.dense")
    ]
    count = order["tenants"]
    config = library.PolyLoraConfig(
        max_gpu_adapters=count + 1, max_rank=LORA_RANK, target_modules=places
    )
    mixed = library.PolyLoraModel(model, config).eval()
    specs = {spec.name: spec for spec in mixed.module_specs}
    for name in names(order):
        layers = {
            place: store.CpuLayerWeights(
                torch.randn(spec.in_features, LORA_RANK) / math.sqrt(spec.in_features),
                torch.randn(LORA_RANK, spec.out_features) * 0.05,
                LORA_RANK,
                1.0,
            )
            for place, spec in specs.items()
        }
        mixed.adapter_store.add_adapter(name, layers)
    tenants = names(order)

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        answer = mixed(input_ids=ids, attention_mask=mask, adapter_ids=tenants)
        top: torch.Tensor = answer.last_hidden_state
        return top

    return forward


PEERS: dict[str, Callable[[dict[str, Any]], Forward]] = {
    "transformers": plain,
    "in turn": in_turn,
    "peft": peft,
    "adapters": adapterhub,
    "polylora": polylora,
}


def padded(rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask


def pooled(forward: Forward, rows: Rows) -> torch.Tensor:
    """Means over tokens (B, H), float32."""
    ids, mask = padded(rows)
    top = forward(ids, mask).float()
    return (top * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def versions(*packages: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@torch.inference_mode()
def main() -> None:
    order = json.loads(sys.stdin.readline())
    torch.set_num_threads(order["threads"])
    torch.manual_seed(order["seed"])
    forward = PEERS[order["peer"]](order)
    heads = torch.randn(order["tenants"], order["labels"], order["hidden"])
    same = pooled(forward, [order["sample"]] * order["tenants"])
    answer(
        distinct=len({tuple(row) for row in same.tolist()}),
        versions=versions("torch", "transformers", "peft", "adapters", "polylora"),
    )
    clock = time.process_time if order["clock"] == "cpu" else time.perf_counter
    for line in sys.stdin:
        rows = json.loads(line)
        began = clock()
        states = pooled(forward, rows)
        probs = torch.einsum("bh,bch->bc", states, heads).softmax(-1).tolist()
        answer(seconds=clock() - began, answers=len(probs))


def answer(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
