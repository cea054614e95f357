"""How long publishing an epoch holds up those who look rows up meanwhile.

    python -m tests.benchmarks.publishing

A root and domains below it, their tables on disk, n-grams drawn at random. One thread retrieves
the rows of batches without a pause, as serving does; the other publishes the next epochs of a
domain and of the root, which every domain's view is made of. What a lookup takes while an epoch is
published, less what it takes else, is the stall.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import click
import numpy as np
import torch

from engine.bench.about import about_run
from engine.bench.table import table
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import retrieve
from engine.knowledge.row_cache import RowCache
from engine.knowledge.tree import ROOT, DomainTree
from engine.model.backbone import load_backbone
from engine.model.ngrams import Ids, Keys, pack, unpack
from engine.model.rows import row_bytes
from store.rows import DomainRow
from store.tables import TableFiles

_BATCH_TOKENS = 1024
_BATCHES = 32
_BETWEEN = 50
"""Lookups to wait for between two epochs."""


class Publisher:
    """A tree whose nodes get further epochs of random n-grams."""

    def __init__(self, folder: Path, domains: int, seed: int) -> None:
        self.backbone = load_backbone()
        hplm = Hplm.untrained(self.backbone).freeze()
        self._encoder = hplm.encoder.fingerprint()
        self._files = TableFiles(folder)
        self._rng = np.random.default_rng(seed)
        cache = RowCache(256 << 20, self.backbone.shape.hidden)
        self.tree = DomainTree(self._files, hplm, cache=cache)
        self.rows = {
            name: DomainRow(name, parent, 0, "ready", None, 0, 0, {}, 0.0)
            for name, parent in ((ROOT, None), *((f"domain-{i}", ROOT) for i in range(domains)))
        }
        self.tree.load(list(self.rows.values()))

    def write(self, name: str, entries: int) -> None:
        """The next epoch, on disk."""
        width = row_bytes(self.backbone.shape.hidden)
        row = replace(self.rows[name], epoch=self.rows[name].epoch + 1)
        drawn = self._rng.integers(0, self.backbone.shape.vocab, size=(entries, 3))
        keys = np.unique(pack(drawn))
        with self._files.writer(name, row.epoch, (width,), np.int8) as writer:
            for part in np.array_split(keys, max(1, entries // 50_000)):
                writer.append(part, np.zeros((len(part), width), dtype=np.int8))
            writer.set("counts", np.ones(len(keys), dtype=np.int64))
            writer.meta["encoder"] = self._encoder
            writer.meta["backbone_sha256"] = self.backbone.checkpoint.sha256
            writer.commit()
        self.rows[name] = row

    def publish(self, name: str) -> float:
        """Put it in use; seconds."""
        began = time.perf_counter()
        self.tree.put(self.rows[name])
        return time.perf_counter() - began

    def batches(self, domain: str, count: int) -> list[Ids]:
        """Token ids of which every third trigram is in the domain's table; the others soon are in
        the row cache."""
        keys: Keys = self.tree.take(domain).view.segments[0].keys
        drawn = self._rng.choice(keys, (count, _BATCH_TOKENS // 3))
        return [np.ascontiguousarray(unpack(each).ravel()) for each in drawn]


class Reader(threading.Thread):
    """Looks up without a pause; `times` are (begin, end) of every batch."""

    def __init__(self, publisher: Publisher, domain: str) -> None:
        super().__init__(daemon=True)
        self._tree, self._domain = publisher.tree, domain
        self._batches = itertools.cycle(publisher.batches(domain, _BATCHES))
        self.times: list[tuple[float, float]] = []
        self.stopped = threading.Event()
        self._more = threading.Condition()

    def run(self) -> None:
        for ids in self._batches:
            if self.stopped.is_set():
                return
            began = time.perf_counter()
            retrieve(ids, np.array([len(ids)]), self._tree.take(self._domain))
            with self._more:
                self.times.append((began, time.perf_counter()))
                self._more.notify_all()

    def wait(self, lookups: int) -> None:
        """Until so many more are done."""
        wanted = len(self.times) + lookups
        with self._more:
            self._more.wait_for(lambda: len(self.times) >= wanted)


@click.command()
@click.option("--domains", type=int, default=7, show_default=True)
@click.option("--root-entries", type=int, default=500_000, show_default=True)
@click.option("--entries", type=int, default=200_000, show_default=True, help="Of a domain.")
@click.option("--epochs", type=int, default=8, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(domains: int, root_entries: int, entries: int, epochs: int, seed: int) -> None:
    """Milliseconds of a lookup of 1,024 tokens, with nobody publishing and while somebody is."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        publisher = Publisher(Path(folder), domains, seed)
        sizes = {name: root_entries if name == ROOT else entries for name in publisher.rows}
        for name, size in sizes.items():
            publisher.write(name, size)
            publisher.publish(name)
        reader = Reader(publisher, "domain-0")
        reader.start()
        reader.wait(6 * _BATCHES)
        lines = [_measure(publisher, reader, name, sizes, epochs) for name in ("domain-0", ROOT)]
        reader.stopped.set()
        reader.join()
    click.echo(about_run(threads=1, seed=seed).line() + "\n")
    heads = ("PUBLISHED", ">ENTRIES", ">TAKES", ">LOOKUP", ">MEANWHILE", ">LONGEST", ">STALL")
    click.echo(table(heads, lines))
    click.echo("\nMilliseconds: medians, and the longest lookup of all that met a publication.")


def _measure(
    publisher: Publisher, reader: Reader, name: str, sizes: dict[str, int], epochs: int
) -> tuple[str, ...]:
    took: list[float] = []
    quiet: list[float] = []
    met: list[float] = []
    for _ in range(epochs):
        publisher.write(name, sizes[name])
        first = len(reader.times)
        reader.wait(_BETWEEN)
        quiet += [end - begin for begin, end in reader.times[first:]]
        first, began = len(reader.times), time.perf_counter()
        took.append(publisher.publish(name))
        ended = time.perf_counter()
        reader.wait(2)
        met += [e - b for b, e in reader.times[first:] if e > began and b < ended]
    usual = median(quiet)
    shown = (median(took), usual, median(met), max(met), max(met) - usual)
    return (name, f"{sizes[name]:,}", *(f"{1e3 * seconds:.2f}" for seconds in shown))


if __name__ == "__main__":
    main()
