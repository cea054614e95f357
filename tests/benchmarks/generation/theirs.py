"""Other ways to serve the same texts on the same weights: transformers alone, and with PEFT."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import torch

from engine.model.decoder import Decoder
from tests.benchmarks.generation.ours import RANK, Clock, Rows, Timed
from tests.benchmarks.peers.process import PeerProcess

WORKER = Path(__file__).with_name("worker.py")


class Transformers:
    """Its own loop in this process: one model for all, no adapters."""

    def __init__(
        self, folder: Path, dtype: torch.dtype, prompts: Rows, tokens: int, clock: Clock
    ) -> None:
        transformers: Any = importlib.import_module("transformers")
        self.version: str = transformers.__version__
        self._model = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=dtype).eval()
        self._prompts, self._tokens, self._clock = prompts, tokens, clock

    def run(self) -> Timed:
        """All in one batch."""
        return self._of(self._prompts)

    def in_turn(self) -> Timed:
        """One after the other."""
        return Timed.sum([self._of([prompt]) for prompt in self._prompts])

    def _of(self, prompts: Rows) -> Timed:
        first, _ = self._generate(prompts, 1)
        whole, said = self._generate(prompts, self._tokens)
        return Timed(first, whole - first, said)

    @torch.inference_mode()
    def _generate(self, prompts: Rows, tokens: int) -> tuple[float, tuple[tuple[int, ...], ...]]:
        ids = torch.tensor([list(prompt) for prompt in prompts])
        began = self._clock()
        found = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
        return self._clock() - began, tuple(map(tuple, found[:, ids.shape[1] :].tolist()))


class Peft:
    """LoRA in the layers where ours are, with about as many parameters, a name for each text of the
    batch, in a process of an environment that has PEFT. NotInstalled if that does not answer."""

    def __init__(
        self,
        python: Path,
        folder: Path,
        decoder: Decoder,
        prompts: Rows,
        tokens: int,
        threads: int,
        clock: Clock,
    ) -> None:
        order: dict[str, Any] = {
            "checkpoint": str(folder),
            "dtype": str(decoder.dtype).removeprefix("torch."),
            "split": decoder.split,
            # Two bottlenecks a layer have 4 H R numbers, LoRA of both output projections 7 H r.
            "rank": max(1, 4 * RANK // 7),
            "prompts": [list(prompt) for prompt in prompts],
            "tokens": tokens,
            "threads": threads,
            "clock": "cpu" if clock is time.process_time else "wall",
            "seed": 0,
        }
        self._process = PeerProcess(python, order, WORKER)
        self.versions, self.distinct = self._process.versions, self._process.distinct

    def run(self) -> Timed:
        """All in one batch."""
        found = self._process.ask({})
        return Timed(float(found["first"]), float(found["whole"]) - float(found["first"]))

    def close(self) -> None:
        self._process.close()
