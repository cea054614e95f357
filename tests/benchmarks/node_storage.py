"""How much smaller a domain's node is than a table that the domain would need standing alone.

    python -m tests.benchmarks.node_storage --data DIR

Both tables are built from the domain's corpus, the node's below a root built from `general`. The
hit rates are those on the test texts of the domain's datasets. `alpha` is what the table standing
alone has to cover; the node covers just as much of its corpus as gives it the same hit rate.

With --shared the root has what several domains would each store besides its own, as a rebuild of
it gives it; measured is, in the same run, a node below either root.
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
from engine.bench.table import number, table
from engine.knowledge.choice import Demand, merge, wanted_by_several
from engine.knowledge.counts import NgramCounts
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
@click.option("--shared", is_flag=True, help="Also below a root that has what domains share.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(
    data: Path, alphas: tuple[float, ...], root_alpha: float, shared: bool, out: Path | None
) -> None:
    """Storage of every domain in --data, alone and as a node."""
    backbone = load_backbone()
    sources = open_sources(data, (), {})
    texts: dict[str, list[Keys]] = defaultdict(list)
    for name in sources.datasets:
        dataset = sources.dataset(name)
        texts[dataset.domain] += keys_of(backbone, [text for text, _ in dataset.test])
    general = count(backbone, sources.corpus(ROOT))
    demands = {}
    for domain in sorted(texts):
        click.echo(f"counting {domain}", err=True)
        demands[domain] = merge(count(backbone, sources.corpus(domain)))
    root = Shelf(backbone, ROOT)
    root.put(root.choose(merge(general), root_alpha))
    about = about_run(threads=1, seed=0)
    click.echo(about.line())
    results = {}
    for alpha in alphas:
        roots = {"root": root}
        if shared:
            sharing = _sharing(backbone, general, demands, root_alpha, alpha)
            roots["root with what is shared"] = sharing
        for what, above in roots.items():
            found = [
                measure(backbone, above, domain, demand, texts[domain], alpha)
                for domain, demand in demands.items()
            ]
            sizes = [above.nbytes, sum(s.node_bytes for s in found)]
            together = " and ".join(f"{size / (1 << 20):.1f}" for size in sizes)
            click.echo(f"\nalpha {alpha:g}; a {what}, alpha {root_alpha:g}: {together} MiB\n")
            click.echo(render(found))
            ratios = [s.ratio for s in found]
            click.echo(f"ratio: mean {sum(ratios) / len(ratios):.2f}, worst {max(ratios):.2f}")
            results[f"{what}, {alpha:g}"] = {
                "root_bytes": above.nbytes,
                "domains": [asdict(s) for s in found],
            }
    if out is not None:
        write_document(Document("node_storage", about, {"root_alpha": root_alpha}, results), out)


def _sharing(
    backbone: Backbone,
    general: NgramCounts,
    demands: dict[str, Demand],
    root_alpha: float,
    alpha: float,
) -> Shelf:
    """A root that a rebuild has given what at least two domains would store at `alpha`."""
    wanted = [Shelf(backbone, name).choose(each, alpha).keys for name, each in demands.items()]
    root = Shelf(backbone, ROOT)
    root.put(root.choose(merge(general, shared=wanted_by_several(wanted)), root_alpha))
    return root


if __name__ == "__main__":
    main()
