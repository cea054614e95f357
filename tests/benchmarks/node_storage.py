"""How much smaller a domain's node is than a table that the domain would need standing alone.

    python -m tests.benchmarks.node_storage --data DIR

Both tables are built from the domain's corpus, the node's below a root built from `general`. The
hit rates are those on the test texts of the domain's datasets. `alpha` is what the table standing
alone has to cover; the node covers just as much of its corpus as gives it the same hit rate.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from engine.bench.about import about_run
from engine.bench.document import Document, write_document
from engine.bench.domains import ROOT
from engine.bench.sources import open_sources
from engine.bench.table import number, share, table
from engine.knowledge.choice import Demand, merge
from engine.model.backbone import Backbone, load_backbone
from engine.model.ngrams import Keys
from tests.benchmarks.keyed_tables import Shelf, count, keys_of

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_STEPS = 12


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes of a table standing alone and of a node at an equal hit rate, and at an equal alpha."""

    domain: str
    alpha: float
    hit_rate: float
    alone_bytes: int
    node_bytes: int
    node_alpha: float
    same_alpha_hit_rate: float
    same_alpha_bytes: int
    inherited_hit_rate: float
    """What the root alone answers."""

    @property
    def ratio(self) -> float:
        return self.node_bytes / self.alone_bytes


def measure(
    backbone: Backbone, root: Shelf, name: str, demand: Demand, texts: list[Keys], alpha: float
) -> Storage:
    alone, node = Shelf(backbone, name), Shelf(backbone, name, root)
    alone.put(alone.choose(demand, alpha))
    wanted = alone.hit_rate(texts)
    node.put(node.choose(demand, alpha))
    same_alpha = node.hit_rate(texts), node.nbytes
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        node.put(node.choose(demand, middle))
        low, high = (low, middle) if node.hit_rate(texts) >= wanted else (middle, high)
    node.put(node.choose(demand, high))
    return Storage(
        domain=name,
        alpha=alpha,
        hit_rate=wanted,
        alone_bytes=alone.nbytes,
        node_bytes=node.nbytes,
        node_alpha=high,
        same_alpha_hit_rate=same_alpha[0],
        same_alpha_bytes=same_alpha[1],
        inherited_hit_rate=root.hit_rate(texts),
    )


def render(found: list[Storage]) -> str:
    heads = (
        *("DOMAIN", ">ALPHA", ">HIT RATE", ">ROOT'S", ">ALONE MIB", ">NODE MIB", ">RATIO"),
        *(">AT ALPHA", ">SAME ALPHA: HIT RATE", ">MIB"),
    )
    return table(
        heads,
        (
            (
                *(s.domain, f"{s.alpha:g}", f"{s.hit_rate:.1%}", f"{s.inherited_hit_rate:.1%}"),
                *(f"{size / (1 << 20):.1f}" for size in (s.alone_bytes, s.node_bytes)),
                *(number(s.ratio), f"{s.node_alpha:.2f}", f"{s.same_alpha_hit_rate:.1%}"),
                f"{s.same_alpha_bytes / (1 << 20):.1f}",
            )
            for s in found
        ),
    )


@click.command()
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True
)
@click.option("--alpha", "alphas", type=float, multiple=True, default=(0.3, 0.5, 0.7))
@click.option("--root-alpha", type=float, default=0.5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(data: Path, alphas: tuple[float, ...], root_alpha: float, out: Path | None) -> None:
    """Storage of every domain in --data, alone and as a node."""
    backbone = load_backbone()
    sources = open_sources(data, (), {})
    texts: dict[str, list[Keys]] = defaultdict(list)
    for name in sources.datasets:
        dataset = sources.dataset(name)
        texts[dataset.domain] += keys_of(backbone, [text for text, _ in dataset.test])
    root = Shelf(backbone, ROOT)
    root.put(root.choose(merge(count(backbone, sources.corpus(ROOT))), root_alpha))
    found: list[Storage] = []
    for domain in sorted(texts):
        click.echo(f"counting {domain}", err=True)
        demand = merge(count(backbone, sources.corpus(domain)))
        found += [measure(backbone, root, domain, demand, texts[domain], a) for a in alphas]
    about = about_run(threads=1, seed=0)
    root_size = f"{root.nbytes / (1 << 20):.1f} MiB"
    click.echo(
        f"{about.line()}\nthe root covers {share(root_alpha)} of its corpus in {root_size}\n"
    )
    click.echo(render(found))
    if out is not None:
        results = {"root_bytes": root.nbytes, "domains": [asdict(s) for s in found]}
        write_document(Document("node_storage", about, {"root_alpha": root_alpha}, results), out)


if __name__ == "__main__":
    main()
