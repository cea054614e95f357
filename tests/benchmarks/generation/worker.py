"""PEFT in its own environment: a line in for each time that the texts are to be generated, the
seconds out: of their first tokens alone, and of all.

Run by path with that environment's Python, so it imports nothing of this project. The first line in
is the order (a JSON object), the first line out says which versions answer and how many of the
adapters differ when all are asked the same.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from importlib.metadata import version
from typing import Any

import torch


def mixed_model(order: dict[str, Any], names: list[str]) -> Any:
    transformers, library = (importlib.import_module(name) for name in ("transformers", "peft"))
    model = transformers.GPT2LMHeadModel.from_pretrained(
        order["checkpoint"], dtype=getattr(torch, order["dtype"]), local_files_only=True
    )
    layers = "|".join(str(i) for i in range(order["split"], model.config.n_layer))
    config = library.LoraConfig(
        r=order["rank"],
        lora_alpha=order["rank"],
        target_modules=rf".*\.h\.({layers})\.(attn|mlp)\.c_proj",
        # GPT-2 keeps its weights the other way round.
        fan_in_fan_out=True,
        init_lora_weights=False,
    )
    first, *others = names
    mixed = library.get_peft_model(model, config, first, autocast_adapter_dtype=False)
    for name in others:
        mixed.add_adapter(name, config, autocast_adapter_dtype=False)
    return mixed.to(model.dtype).eval()


def answer(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


@torch.inference_mode()
def main() -> None:
    order = json.loads(sys.stdin.readline())
    torch.set_num_threads(order["threads"])
    torch.manual_seed(order["seed"])
    ids = torch.tensor(order["prompts"])
    names = [f"tenant{i}" for i in range(len(ids))]
    model = mixed_model(order, names)
    same = model(ids[:1].expand_as(ids), adapter_names=names).logits[:, -1]
    answer(
        distinct=len({tuple(row) for row in same.tolist()}),
        versions={name: version(name) for name in ("torch", "transformers", "peft")},
    )
    clock = time.process_time if order["clock"] == "cpu" else time.perf_counter

    def seconds(tokens: int) -> float:
        began = clock()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
            adapter_names=names,
        )
        return clock() - began

    for _ in sys.stdin:
        answer(first=seconds(1), whole=seconds(order["tokens"]))


if __name__ == "__main__":
    main()
