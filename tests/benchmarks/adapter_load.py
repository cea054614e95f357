"""Where the time of one adapter's load goes: from its file into a slot, stage by stage.

CPU time of the one thread that does it (other programs do not count), the best of several rounds
over adapters of the bundled backbone's shape; files are in the page cache.

    python -m tests.benchmarks.adapter_load
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click
import torch

from engine.bench.table import table
from engine.memory.arena import AdapterArena
from engine.model.adapters import FORMAT, AdapterShape, AdapterWeights, random_adapter
from store import files
from store.blobs import BlobStore
from store.tensors import unpack

ROUNDS = 7
T = TypeVar("T")
R = TypeVar("R")


def timed(deed: Callable[[T], R], over: Iterable[T]) -> tuple[list[R], float]:
    """What `deed` gives for each, and the CPU milliseconds it takes for one."""
    inputs, best = list(over), float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        results = [deed(each) for each in inputs]
        best = min(best, time.thread_time() - began)
    return results, best / len(inputs) * 1e3


@click.command()
@click.option("--adapters", type=int, default=100, show_default=True)
@click.option("--layers", type=int, default=2, show_default=True)
@click.option("--rank", type=int, default=64, show_default=True)
def main(adapters: int, layers: int, rank: int) -> None:
    """CPU milliseconds by stage."""
    torch.set_num_threads(1)
    shape = AdapterShape(layers, 384, rank)
    rng = torch.Generator().manual_seed(0)
    rows: list[tuple[str, str]] = []

    def measure(stage: str, deed: Callable[[T], R], over: Iterable[T]) -> list[R]:
        results, spent = timed(deed, over)
        rows.append((stage, f"{spent:.3f}"))
        return results

    with tempfile.TemporaryDirectory() as folder:
        blobs = BlobStore(Path(folder) / "blobs")
        each = (
            (random_adapter(shape, 4, rng).arrays(), {"format": FORMAT}) for _ in range(adapters)
        )
        ids = [info.id for info in blobs.put_many(each)]
        content = measure("read the file", files.read_array, map(blobs.path, ids))
        measure("sha256", lambda data: hashlib.sha256(data.data).hexdigest(), content)
        arrays = measure("take tensors", lambda data: unpack(data)[0], content)
        weights = measure("check", lambda found: AdapterWeights.from_arrays(found, "one"), arrays)
        for dtype in (torch.float32, torch.bfloat16):
            arena = AdapterArena(shape, 64 << 20, torch.device("cpu"), dtype)

            def swap(adapter: AdapterWeights, arena: AdapterArena = arena) -> None:
                arena.remove(arena.put(adapter))

            measure(f"into a {str(dtype).removeprefix('torch.')} slot", swap, weights)

        def load(blob: str) -> AdapterWeights:
            return AdapterWeights.from_arrays(blobs.get(blob)[0], blob)

        measure("disk to host, whole", load, ids)
    print(table(("STAGE", ">MS"), rows))


if __name__ == "__main__":
    main()
