"""Texts that go on, of 16 distinct vPLMs: in one batch and one at a time, by tables and exactly,
beside transformers' generate on the same weights, which has no adapters.

    python -m tests.benchmarks.generation --model DIR [--encoder FILE] [--text FILE] [--split K]

Prompts are passages of the text. Warm tables have the n-grams of what is generated; without tables
every row is computed. The encoder may be untrained: no figure here depends on what it says.
"""

from __future__ import annotations

import gzip
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch

from engine.bench.about import about_run
from engine.bench.table import table
from engine.knowledge.build import compute_rows
from engine.knowledge.encoder_file import load_hplm
from engine.knowledge.generation import Sequence, advance, begin, look_up
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import pick_dtype
from engine.model.batched import SlotWeights
from engine.model.decoder import Decoder, load_decoder
from engine.model.kv_pool import KvPool
from engine.model.ngrams import Keys, pack

_RANK = 64
_BUDGET = 256 << 20
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of the prompts, and of the steps after them, and what was said."""

    prefill: float
    decode: float
    said: tuple[tuple[int, ...], ...]


@click.command()
@click.option("--model", type=FOLDER, required=True, help="A checkpoint of the GPT-2 family.")
@click.option("--encoder", type=FILE, default=None, help="The general encoder; else untrained.")
@click.option("--text", type=FILE, default=None, help="Running text, .gz or not; else the README.")
@click.option("--split", type=int, default=4, show_default=True)
@click.option("--bridge", type=int, default=None, help="Width of an untrained bridge; 0: none.")
@click.option("--batch", type=int, default=16, show_default=True)
@click.option("--prompt", type=int, default=64, show_default=True, help="Tokens of each prompt.")
@click.option("--tokens", type=int, default=32, show_default=True, help="Tokens to say.")
@click.option("--rounds", type=int, default=5, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--float32", is_flag=True, help="Whatever the machine computes best in.")
@click.option("--cpu-time", is_flag=True, help="The processor's seconds, where others use it too.")
def main(
    model: Path,
    encoder: Path | None,
    text: Path | None,
    split: int,
    bridge: int | None,
    batch: int,
    prompt: int,
    tokens: int,
    rounds: int,
    threads: int,
    float32: bool,
    cpu_time: bool,
) -> None:
    """Median tokens a second of each side, all sides in turn in each round."""
    torch.set_num_threads(threads)
    dtype = torch.float32 if float32 else pick_dtype(torch.device("cpu"))
    decoder = load_decoder(model, split=split, dtype=dtype)
    if encoder is not None:
        hplm = load_hplm(encoder, decoder)
    else:
        widths = None if bridge is None else (bridge,) * (bridge > 0)
        hplm = Hplm.untrained(decoder, None, widths).freeze()
    clock = time.process_time if cpu_time else time.perf_counter
    prompts = _prompts(decoder, text, batch, prompt)
    generation = _Generation(decoder, prompts, tokens, _adapters(decoder, batch), clock)
    none = _knowledge(decoder, hplm, np.empty(0, np.int64))
    said = generation.run(none).said
    seen = [tuple(p) + s for p, s in zip(prompts, said, strict=True)]
    warm = _knowledge(decoder, hplm, _keys(hplm, seen))
    peer = _Transformers(model, dtype, prompts, tokens, clock)
    sides: dict[str, Callable[[], Timed]] = {
        "plot, warm": lambda: generation.run(warm),
        "plot, no tables": lambda: generation.run(none),
        "exact": lambda: generation.run(None),
        "plot, warm, in turn": lambda: generation.in_turn(warm),
        "exact, in turn": lambda: generation.in_turn(None),
        "transformers, one model": peer.run,
        "transformers, in turn": peer.in_turn,
    }
    times: dict[str, list[Timed]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, run in sides.items():
            found = run()
            if turn:
                times[name].append(found)
    click.echo(about_run(threads=threads, seed=0).line())
    click.echo(
        f"{decoder.checkpoint.name}: {decoder.shape.layers} layers of {decoder.shape.hidden}, "
        f"split {split}, bridge {hplm.bridge.widths}, {dtype}; {batch} vPLMs of rank {_RANK}, "
        f"prompts of {prompt}, {tokens} said\n"
    )
    exact = _middle(times["exact"])
    lines = []
    for name, found_all in times.items():
        prefill, decode = _middle(found_all)
        lines.append(
            (
                name,
                f"{batch * prompt / prefill:,.0f}",
                f"{exact[0] / prefill:.2f}",
                f"{batch * (tokens - 1) / decode:,.0f}",
                f"{exact[1] / decode:.2f}",
            )
        )
    heads = ("SIDE", ">PREFILL, TOKENS/S", ">TIMES EXACT", ">DECODE, TOKENS/S", ">TIMES EXACT")
    click.echo(table(heads, lines))


def _middle(found: list[Timed]) -> tuple[float, float]:
    return median(each.prefill for each in found), median(each.decode for each in found)


class _Generation:
    """Greedy continuation of all prompts, each by its own adapter."""

    def __init__(
        self,
        decoder: Decoder,
        prompts: list[list[int]],
        tokens: int,
        adapters: SlotWeights,
        clock: Callable[[], float],
    ) -> None:
        self._decoder, self._prompts, self._tokens = decoder, prompts, tokens
        self._adapters, self._clock = adapters, clock
        self._pool = KvPool(_BUDGET, decoder.shape)

    def run(self, knowledge: Knowledge | None, only: slice = slice(None)) -> Timed:
        """Of the prompts `only`, in one batch."""
        sequences: list[Sequence] = []
        for slot, ids in list(enumerate(self._prompts, 1))[only]:
            begun = begin(self._decoder, self._pool, ids, self._tokens, knowledge, slot)
            assert begun is not None, "the pool has room for all"
            sequences.append(begun)
        marks = [self._clock()]
        for _ in range(self._tokens):
            turns = [sequence.turn(sequence.left) for sequence in sequences]
            logits = advance(self._decoder, self._pool, look_up(turns), self._adapters)
            chosen = logits.argmax(-1).tolist()
            sequences = [t.over().said(token) for t, token in zip(turns, chosen, strict=True)]
            marks.append(self._clock())
        for sequence in sequences:
            self._pool.free(sequence.lease)
        said = tuple(sequence.ids[-self._tokens :] for sequence in sequences)
        return Timed(marks[1] - marks[0], marks[-1] - marks[1], said)

    def in_turn(self, knowledge: Knowledge | None) -> Timed:
        """One sequence after the other."""
        each = [self.run(knowledge, slice(i, i + 1)) for i in range(len(self._prompts))]
        return _sum(each)


class _Transformers:
    """The same weights in transformers' own loop: one model for all, no adapters."""

    def __init__(
        self,
        folder: Path,
        dtype: torch.dtype,
        prompts: list[list[int]],
        tokens: int,
        clock: Callable[[], float],
    ) -> None:
        transformers: Any = importlib.import_module("transformers")
        self._model = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=dtype).eval()
        self._prompts, self._tokens, self._clock = prompts, tokens, clock

    def run(self) -> Timed:
        """All in one batch."""
        return self._of(self._prompts)

    def in_turn(self) -> Timed:
        """One after the other."""
        return _sum([self._of([prompt]) for prompt in self._prompts])

    def _of(self, prompts: list[list[int]]) -> Timed:
        first, _ = self._generate(prompts, 1)
        whole, said = self._generate(prompts, self._tokens)
        return Timed(first, whole - first, said)

    @torch.inference_mode()
    def _generate(
        self, prompts: list[list[int]], tokens: int
    ) -> tuple[float, tuple[tuple[int, ...], ...]]:
        ids = torch.tensor(prompts)
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


def _sum(found: list[Timed]) -> Timed:
    said = tuple(row for each in found for row in each.said)
    return Timed(sum(e.prefill for e in found), sum(e.decode for e in found), said)


def _adapters(decoder: Decoder, count: int) -> SlotWeights:
    """Distinct ones in slots 1 to `count`, as small as fresh ones are."""
    generator = torch.Generator().manual_seed(0)
    shape = decoder.shape
    places = 2 * (shape.layers - decoder.split)
    sizes = ((shape.hidden, _RANK), (_RANK,), (_RANK, shape.hidden), (shape.hidden,))
    parts = [0.01 * torch.randn(places, count + 1, *size, generator=generator) for size in sizes]
    for part in parts:
        part[:, 0] = 0
    return SlotWeights(*(part.to(decoder.dtype) for part in parts))


def _prompts(decoder: Decoder, text: Path | None, count: int, length: int) -> list[list[int]]:
    """Passages from all over the text."""
    path = Path(__file__).parents[2] / "README.md" if text is None else text
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    rows = [row for row in decoder.windows(lines, length) if len(row) == length]
    if len(rows) < count:
        raise click.ClickException(
            f"{path} has {len(rows)} passages of {length} tokens; {count} are needed."
        )
    return [rows[i * len(rows) // count] for i in range(count)]


def _keys(hplm: Hplm, rows: list[tuple[int, ...]]) -> Keys:
    ids = np.array([token for row in rows for token in row], dtype=np.int64)
    return np.unique(pack(hplm.encoder.grams(ids, np.array([len(row) for row in rows]))))


def _knowledge(decoder: Decoder, hplm: Hplm, keys: Keys) -> Knowledge:
    segments: tuple[Segment, ...] = ()
    if len(keys):
        rows = compute_rows(hplm.encoder, keys)
        segments = (Segment("general", 1, keys, rows, np.ones(len(keys), np.int64)),)
    view = TableView("general", segments, decoder.shape.hidden)
    return Knowledge("general", 1, view, hplm.encoder, hplm.bridge)


if __name__ == "__main__":
    main()
