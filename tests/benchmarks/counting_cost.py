"""What counting what is asked for costs beside serving it.

    python -m tests.benchmarks.counting_cost --data DIR

Batches of real texts pass through retrieve, assemble and the upper layers, one thread, in a domain
whose table was built of its corpus' first lines; the counting alone is timed on the same keys. The
row cache is as in serving, so most misses are not computed: counting has its largest share then.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import click
import numpy as np
import torch

from engine.bench.about import about_run
from engine.bench.sources import open_sources
from engine.knowledge.build import BuildPlan, build_table
from engine.knowledge.hplm import Hplm
from engine.knowledge.index import MISS
from engine.knowledge.retrieve import retrieve
from engine.knowledge.row_cache import RowCache
from engine.knowledge.tree import ROOT, DomainTree
from engine.model.backbone import load_backbone
from engine.model.ngrams import pack, trigrams
from engine.model.packing import Packing
from engine.model.rows import row_bytes
from store.rows import DomainRow
from store.tables import TableFiles

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_WARM_UP = 5


@click.command()
@click.option("--data", type=FOLDER, default=None, help="Else the project's own texts.")
@click.option("--dataset", default="sst2", show_default=True)
@click.option("--lines", type=int, default=4000, show_default=True, help="Of the corpus.")
@click.option("--batch", type=int, default=32, show_default=True)
@click.option("--batches", type=int, default=50, show_default=True)
@torch.inference_mode()
def main(data: Path | None, dataset: str, lines: int, batch: int, batches: int) -> None:
    """Median milliseconds of a batch, and of counting it."""
    torch.set_num_threads(1)
    backbone = load_backbone()
    sources = open_sources(data, () if data is None else (dataset,), {})
    found = sources.dataset(next(iter(sources.datasets)))
    hplm = Hplm.untrained(backbone).freeze()
    hidden = backbone.shape.hidden
    with tempfile.TemporaryDirectory() as folder:
        tables = TableFiles(Path(folder))
        tree = DomainTree(tables, hplm, cache=RowCache(256 << 20, hidden))
        row = DomainRow(ROOT, None, 0, "ready", None, 0, 0, {}, 0.0)
        tree.put(row)
        corpus = sources.corpus(found.domain)[:lines]
        with tables.writer(ROOT, 1, (row_bytes(hidden),), np.int8) as writer:
            build_table(
                writer,
                corpus,
                len(corpus),
                backbone,
                hplm.encoder,
                tree.take(ROOT).view,
                BuildPlan(),
                lambda _share, _message: None,
                lambda: False,
            )
            writer.commit()
        tree.put(DomainRow(ROOT, None, 1, "ready", None, 0, 0, {}, 0.0))
        knowledge = tree.take(ROOT)
        texts = [text for text, _ in found.test]
        serving: list[float] = []
        counting: list[float] = []
        tokens = hits = 0
        for number in range(batches + _WARM_UP):
            start = number * batch % max(1, len(texts) - batch)
            rows = [backbone.cut(ids)[0] for ids in backbone.tokenize(texts[start : start + batch])]
            lengths = np.array([len(each) for each in rows], dtype=np.int64)
            ids = np.concatenate([np.array(each, dtype=np.int64) for each in rows])
            packing = Packing.of(lengths.tolist())
            began = time.perf_counter()
            retrieved = retrieve(ids, lengths, knowledge)
            states = knowledge.assemble(retrieved, packing).to(backbone.dtype)
            backbone.upper(states, packing)
            serving.append(time.perf_counter() - began)
            keys, times = np.unique(
                pack(trigrams(ids, lengths, hplm.encoder.boundary)), return_counts=True
            )
            at = knowledge.view.find(keys)
            hit = at != MISS
            began = time.perf_counter()
            knowledge.view.count(at[hit], times[hit])
            knowledge.traffic.add_missed(keys[~hit], times[~hit])
            counting.append(time.perf_counter() - began)
            lookups = retrieved.lookups()
            tokens, hits = tokens + lookups.tokens, hits + lookups.hits
    serve, count = (1e3 * median(each[_WARM_UP:]) for each in (serving, counting))
    click.echo(
        about_run(threads=1, seed=0, dtype=str(backbone.dtype).removeprefix("torch.")).line()
    )
    click.echo(
        f"{found.name}, {tokens / len(serving):.0f} tokens a batch, {hits / tokens:.0%} hits: "
        f"{serve:.2f} ms to serve, {count:.3f} ms of them to count: {count / serve:.2%}"
    )


if __name__ == "__main__":
    main()
