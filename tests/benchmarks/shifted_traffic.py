"""What a domain learns from traffic that is not of its corpus' kind.

    python -m tests.benchmarks.shifted_traffic --data DIR

For each pair a node is built from the domain's corpus below a root built from `general`. The first
half of the dataset's test texts is served and counted; the node is updated once; the second half,
which it has not seen, is looked up before and after.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from engine.bench.about import about_run
from engine.bench.document import Document, write_document
from engine.bench.domains import ROOT
from engine.bench.sources import open_sources
from engine.bench.table import share, table
from engine.knowledge.choice import TRAFFIC_WEIGHT, merge
from engine.knowledge.counts import NgramCounts
from engine.knowledge.traffic import Traffic
from engine.model.backbone import Backbone, load_backbone
from engine.model.ngrams import Keys
from tests.benchmarks.keyed_tables import UNLIMITED, Shelf, count, keys_of

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PAIRS = (
    *("reviews=banking77", "reviews=ag_news", "finance=clinc150", "news=tweet_sentiment"),
    *("reviews=sst2", "finance=banking77"),
)
"""Domain and dataset; the last two are of the domain's own kind."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Hit rates on texts not served: before the update, after it, and after one that may store no
    more than there was before. `lookups` were counted."""

    domain: str
    dataset: str
    lookups: int
    before: float
    after: float
    in_same_bytes: float
    entries_before: int
    entries_after: int
    bytes_before: int
    bytes_after: int
    promoted: int
    evicted: int


def measure(
    backbone: Backbone,
    root: Shelf,
    corpus: NgramCounts,
    texts: list[Keys],
    names: tuple[str, str],
    alpha: float,
    weight: float,
) -> Shift:
    """Serve every other text of `texts`, update, look up the others."""
    node = Shelf(backbone, names[0], root)
    node.put(node.choose(merge(corpus), alpha))
    traffic = Traffic()
    node.serve(traffic, texts[0::2])
    asked = traffic.asked(node.view)
    missed = asked.keys[~node.sees(asked.keys)]
    rates, had, stored = [node.hit_rate(texts[1::2])], node.own, node.nbytes
    demand = merge(corpus, asked, weight)
    for budget in (stored, UNLIMITED):
        node.put(node.choose(demand, alpha, budget))
        rates.append(node.hit_rate(texts[1::2]))
    return Shift(
        *names,
        lookups=asked.lookups,
        before=rates[0],
        after=rates[2],
        in_same_bytes=rates[1],
        entries_before=len(had),
        entries_after=len(node.own),
        bytes_before=stored,
        bytes_after=node.nbytes,
        promoted=int(np.isin(missed, node.own).sum()),
        evicted=int((~np.isin(had, node.own)).sum()),
    )


def render(shifts: list[Shift]) -> str:
    heads = (
        *("DOMAIN", "TRAFFIC", ">LOOKUPS", ">BEFORE", ">AFTER", ">IN THE SAME BYTES"),
        *(">MIB BEFORE", ">MIB AFTER", ">PROMOTED", ">EVICTED"),
    )
    return table(
        heads,
        (
            (
                *(s.domain, s.dataset, f"{s.lookups:,}"),
                *(f"{rate:.1%}" for rate in (s.before, s.after, s.in_same_bytes)),
                *(f"{size / (1 << 20):.1f}" for size in (s.bytes_before, s.bytes_after)),
                *(f"{s.promoted:,}", f"{s.evicted:,}"),
            )
            for s in shifts
        ),
    )


@click.command()
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True
)
@click.option("--pair", "pairs", multiple=True, default=PAIRS, show_default=True)
@click.option("--alpha", type=float, default=0.5, show_default=True)
@click.option("--weight", type=float, default=TRAFFIC_WEIGHT, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(data: Path, pairs: tuple[str, ...], alpha: float, weight: float, out: Path | None) -> None:
    """Hit rates before and after one update; a pair is DOMAIN=DATASET."""
    backbone = load_backbone()
    counts: dict[str, NgramCounts] = {}
    root = Shelf(backbone, ROOT)
    shifts: list[Shift] = []
    for pair in pairs:
        domain, _, dataset = pair.partition("=")
        sources = open_sources(data, (dataset,), {dataset: domain})
        for name in (ROOT, domain):
            if name not in counts:
                click.echo(f"counting {name}", err=True)
                counts[name] = count(backbone, sources.corpus(name))
        if not len(root.own):
            root.put(root.choose(merge(counts[ROOT]), alpha))
        texts = keys_of(backbone, [text for text, _ in sources.dataset(dataset).test])
        names = (domain, dataset)
        shifts.append(measure(backbone, root, counts[domain], texts, names, alpha, weight))
    about = about_run(threads=1, seed=0)
    click.echo(f"{about.line()}\nalpha {share(alpha)}, traffic's weight {share(weight)}\n")
    click.echo(render(shifts))
    if out is not None:
        settings = {"alpha": alpha, "weight": weight}
        results = {"shifts": [asdict(shift) for shift in shifts]}
        write_document(Document("shifted_traffic", about, settings, results), out)


if __name__ == "__main__":
    main()
