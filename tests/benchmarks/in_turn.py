"""Rows one after the other against rows padded to a rectangle, on the CPU.

    python -m tests.benchmarks.in_turn --data DIR

Attention over batches of real texts, and 32 distinct adapters on them. Padded, attention is one
call with a mask, and adapters are gathered by slot into one batched product. In turn, each row or
slot is a call of its own on the memory where it lies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import click
import torch
from torch import Tensor

from engine.bench.about import about_run
from engine.bench.sources import open_sources
from engine.bench.table import table
from engine.model.backbone import Backbone, load_backbone
from engine.model.batched import BatchedAdapters, SlotWeights
from engine.model.layers import mix_in_turn, mix_padded
from engine.model.packing import Packing

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_RANK = 64
_WARM_UP = 2


@click.command()
@click.option("--data", type=FOLDER, default=None, help="Else the project's own texts.")
@click.option("--datasets", default="banking77,sst2,chemprot", show_default=True)
@click.option("--batch", type=int, default=32, show_default=True)
@click.option("--batches", type=int, default=20, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@torch.inference_mode()
def main(data: Path | None, datasets: str, batch: int, batches: int, threads: int) -> None:
    """Median milliseconds of one place in one layer."""
    torch.set_num_threads(threads)
    backbone = load_backbone()
    sources = open_sources(data, () if data is None else tuple(datasets.split(",")), {})
    lines = []
    for name in sources.datasets:
        texts = [text for text, _ in sources.dataset(name).test[: batch * batches]]
        rows = [backbone.cut(ids)[0] for ids in backbone.tokenize(texts)]
        packings = [
            Packing.of([len(row) for row in rows[at : at + batch]])
            for at in range(0, len(rows), batch)
        ]
        lines.append((name, *_measure(backbone, packings, batch)))
    click.echo(about_run(threads=threads, seed=0).line() + "\n")
    heads = ("DATASET", ">TOKENS", *(">PADDED", ">IN TURN", ">TIMES") * 2)
    click.echo(f"{'':18}{'ATTENTION':>26}{'ADAPTERS':>25}")
    click.echo(table(heads, lines))


def _measure(backbone: Backbone, packings: list[Packing], batch: int) -> list[str]:
    shape = backbone.shape
    generator = torch.Generator().manual_seed(0)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(2, batch + 1, *sizes, generator=generator)

    weights = SlotWeights(
        normal(shape.hidden, _RANK),
        normal(_RANK),
        normal(_RANK, shape.hidden),
        normal(shape.hidden),
    )
    spent: dict[str, list[float]] = {}

    def clock(side: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        spent.setdefault(side, []).append(time.perf_counter() - began)

    for packing in [*packings[:_WARM_UP], *packings]:
        qkv = torch.randn(packing.total, 3, shape.heads, shape.head_width, generator=generator)
        x = torch.randn(packing.total, shape.hidden, generator=generator)
        slots = list(range(1, packing.rows + 1))
        gathered = BatchedAdapters(weights, slots, packing, gathered=True)
        in_turn = BatchedAdapters(weights, slots, packing, gathered=False)
        clock("padded", partial(mix_padded, qkv, packing))
        clock("rows", partial(mix_in_turn, qkv, packing))
        clock("gathered", partial(gathered, x, 0, "attention"))
        clock("slots", partial(in_turn, x, 0, "attention"))
    found = {side: median(times[_WARM_UP:]) for side, times in spent.items()}
    tokens = sum(packing.total for packing in packings) / len(packings)
    shown = [f"{tokens:.0f}"]
    for before, after in (("padded", "rows"), ("gathered", "slots")):
        ratio = found[before] / found[after]
        shown += [f"{1e3 * found[before]:.2f}", f"{1e3 * found[after]:.2f}", f"{ratio:.1f}"]
    return shown


if __name__ == "__main__":
    main()
