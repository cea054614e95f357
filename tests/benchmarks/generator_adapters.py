"""What a tenant's own text does for a generator: held-out perplexity before and after training, by
the exact lower layers and by n-gram rows.

    python -m tests.benchmarks.generator_adapters --data DIR [--encoder FILE] [--epochs N]
        [--texts finance,biomedical]

Two tenants: the plays and the articles of corpora/gpt_valid, which neither the bundled decoder nor
an encoder has learnt; or one for each of `--texts`, which are other corpora. Of each the last fifth
is held out and the rest is learnt, as a training job learns it in the vPLM's mode. An adapter that
is trained in plot mode is measured in both modes, for a request may ask for either. Perplexity is
of running text in windows of the decoder's context, float32.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch
from torch import Tensor

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order
from engine.bench.table import table
from engine.config import assets_dir
from engine.knowledge.encoder_file import load_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.perplexity import perplexity_of
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights, random_adapter
from engine.model.batched import bottleneck
from engine.model.decoder import Decoder, load_decoder
from engine.training.loop import TrainPlan, TrainReport, train
from engine.training.tasks.continuation import Continuation
from tests.benchmarks.generation.ours import no_tables

HELD_OUT = 0.2
PARAGRAPH = 600
"""Characters of an example, about."""
LONGEST_OF_A_PLAY = 300
"""Characters of a line; the plays come first, and an article's first line is longer."""
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Found:
    """Held-out perplexity of one tenant's text; `trained` and `mode` are exact or plot."""

    tenant: str
    trained: str
    mode: str
    before: float
    after: float

    @property
    def lowered(self) -> float:
        """By which share."""
        return 1 - self.after / self.before


@click.command()
@click.option("--data", type=FOLDER, required=True, help="Has corpora/gpt_valid.txt.gz.")
@click.option("--texts", default="", help="Corpora of tenants, by name; else gpt_valid's parts.")
@click.option("--model", type=FOLDER, default=None, help="Of the GPT-2 family; else the bundled.")
@click.option("--encoder", type=FILE, default=None, help="The general one; else exact mode alone.")
@click.option("--split", type=int, default=4, show_default=True)
@click.option("--rank", type=int, default=64, show_default=True)
@click.option("--epochs", type=int, default=3, show_default=True)
@click.option("--lr", type=float, default=5e-3, show_default=True)
@click.option("--batch-size", type=int, default=16, show_default=True)
@click.option("--share", type=float, default=1.0, show_default=True, help="Of each text, to try.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(
    data: Path,
    texts: str,
    model: Path | None,
    encoder: Path | None,
    split: int,
    rank: int,
    epochs: int,
    lr: float,
    batch_size: int,
    share: float,
    threads: int,
    seed: int,
    out: Path | None,
) -> None:
    """Perplexity before and after, and how much lower it is in each mode."""
    end_in_order()
    if out is not None:
        check_writable(out)
    torch.set_num_threads(threads)
    decoder = load_decoder(model or assets_dir() / "generator", split=split)
    hplm = None if encoder is None else load_hplm(encoder, decoder)
    found: list[Found] = []
    for tenant, lines in _tenants(data, texts, share).items():
        middle = int(len(lines) * (1 - HELD_OUT))
        rows = decoder.windows(lines[middle:], decoder.max_tokens)
        for trained in ("exact",) if hplm is None else ("exact", "plot"):
            plan = TrainPlan(epochs, lr, batch_size, seed=seed, mode=trained)
            weights = _trained(decoder, hplm, lines[:middle], plan, rank, tenant)
            for mode in ("exact",) if trained == "exact" else ("exact", "plot"):
                states = None if mode == "exact" or hplm is None else hplm.states
                before = perplexity_of(decoder, rows, states)
                after = perplexity_of(decoder, rows, states, _Adapted(weights))
                found.append(Found(tenant, trained, mode, before, after))
    about = about_run(threads=threads, seed=seed, dtype="torch.float32")
    click.echo(
        f"{about.line()}\n{decoder.checkpoint.name}, split {split}; rank {rank}, {epochs} epochs "
        f"at {lr:g}, batches of {batch_size}\n\n{_rendered(found)}"
    )
    if out is not None:
        settings = {"rank": rank, "epochs": epochs, "lr": lr, "batch_size": batch_size}
        results = {"found": [asdict(one) | {"lowered": one.lowered} for one in found]}
        write_document(Document("generator_adapters", about, settings, results), out)


def _tenants(data: Path, texts: str, share: float) -> dict[str, list[str]]:
    """Lines of running text by whose they are."""
    if texts:
        parts = {name: _lines(data, name) for name in texts.split(",")}
    else:
        lines = _lines(data, "gpt_valid")
        border = next(i for i, line in enumerate(lines) if len(line) > LONGEST_OF_A_PLAY)
        parts = {"plays": lines[:border], "articles": lines[border:]}
    return {tenant: part[: max(2, int(share * len(part)))] for tenant, part in parts.items()}


def _lines(data: Path, name: str) -> list[str]:
    with gzip.open(data / "corpora" / f"{name}.txt.gz", "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def _paragraphs(lines: Sequence[str]) -> list[str]:
    """Lines that follow each other, joined until there is enough for an example."""
    found, size = [""], 0
    for line in lines:
        if size >= PARAGRAPH:
            found.append("")
            size = 0
        found[-1] += f"{line}\n"
        size += len(line) + 1
    return found


def _trained(
    decoder: Decoder,
    hplm: Hplm | None,
    lines: Sequence[str],
    plan: TrainPlan,
    rank: int,
    tenant: str,
) -> AdapterWeights:
    """As they are stored after the last epoch."""

    def say() -> None:
        click.echo(f"{tenant}, {plan.mode}: {report.message}", err=True)

    report = TrainReport()
    # In exact mode nothing is ever asked of the rows.
    known = Hplm.untrained(decoder).freeze() if hplm is None else hplm
    shape = AdapterShape(decoder.shape.layers - decoder.split, decoder.shape.hidden, rank)
    return train(
        decoder,
        no_tables(decoder, known),
        random_adapter(shape, 0, torch.Generator().manual_seed(plan.seed)),
        Continuation(decoder, [(text, ()) for text in _paragraphs(lines)]),
        plan,
        report,
        tick=say,
        cancelled=lambda: False,
    )


class _Adapted:
    """One adapter for every token."""

    def __init__(self, weights: AdapterWeights) -> None:
        self._weights = weights

    def __call__(self, x: Tensor, layer: int, place: str) -> Tensor:
        w, at = self._weights, (layer, PLACES.index(place))
        return bottleneck(x, w.down[at], w.down_bias[at], w.up[at], w.up_bias[at])


def _rendered(found: Sequence[Found]) -> str:
    exact = {one.tenant: one.lowered for one in found if one.trained == one.mode == "exact"}
    lines = [
        (
            one.tenant,
            one.trained,
            one.mode,
            f"{one.before:.2f}",
            f"{one.after:.2f}",
            f"{one.lowered:.2%}",
            f"{100 * (one.lowered - exact[one.tenant]):+.2f}",
        )
        for one in found
    ]
    heads = ("TENANT", "TRAINED", "MEASURED", ">BEFORE", ">AFTER", ">LOWER BY", ">POINTS TO EXACT")
    return table(heads, lines)


if __name__ == "__main__":
    main()
