"""How much worse a decoder foretells a text from rows than by its exact lower layers, with the
general encoder and after a domain's own training.

    python -m tests.benchmarks.foretelling --valid FILE [--model DIR] [--encoder FILE] [--split K]
        [--domain FILE --minutes N]

Rows are rounded as tables keep them; where a row comes from makes no difference, so none is looked
up here. Of a domain's text the last tenth is held out, and the encoder goes on from the general one
on the rest, as `hmi domain rebuild NAME --kind generator --train-minutes N` does it. Passages are
as long as the decoder reads, each read on its own.
"""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.appliance.encoder_training import FROM_A_TRAINED_ONE
from engine.appliance.generator_stack import bundled_generator
from engine.bench.about import about_run
from engine.bench.table import table
from engine.knowledge.distil import Distillation
from engine.knowledge.distil_plan import DistilPlan
from engine.knowledge.encoder_file import bundled_file, load_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.perplexity import perplexity_of
from engine.knowledge.retrieve import Knowledge, retrieve
from engine.knowledge.view import TableView
from engine.model.decoder import Decoder, load_decoder
from engine.model.packing import Packing

_HELD_OUT = 0.1
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Foretold:
    """Perplexities of one text."""

    text: str
    encoder: str
    tokens: int
    exact: float
    plot: float

    @property
    def row(self) -> tuple[str, ...]:
        higher = f"{self.plot / self.exact - 1:+.1%}"
        return (
            self.text,
            self.encoder,
            f"{self.tokens:,}",
            f"{self.exact:.2f}",
            f"{self.plot:.2f}",
            higher,
        )


@click.command()
@click.option("--valid", type=FILE, default=None, help="Running text, .gz or not.")
@click.option("--model", type=FOLDER, default=bundled_generator, help="Of the GPT-2 family.")
@click.option("--encoder", type=FILE, default=None, help="The general one; else the bundled one.")
@click.option("--split", type=int, default=4, show_default=True)
@click.option("--domain", type=FILE, default=None, help="A domain's text.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Processor time.")
@click.option("--threads", type=int, default=1, show_default=True)
def main(
    valid: Path | None,
    model: Path,
    encoder: Path | None,
    split: int,
    domain: Path | None,
    minutes: float,
    threads: int,
) -> None:
    torch.set_num_threads(threads)
    decoder = load_decoder(model, split=split)
    general = load_hplm(encoder or bundled_file(split, causal=True), decoder)
    click.echo(about_run(threads=threads, seed=0, dtype="float32").line())
    found: list[Foretold] = []
    if valid is not None:
        found.append(foretold(decoder, general, _lines(valid), valid.name, "general"))
    if domain is not None:
        lines = _lines(domain)
        cut = round(len(lines) * (1 - _HELD_OUT))
        found.append(foretold(decoder, general, lines[cut:], domain.name, "general"))
        own = trained(decoder, general, lines[:cut], minutes)
        found.append(foretold(decoder, own, lines[cut:], domain.name, f"own, {minutes:g} min"))
    heads = ("TEXT", "ENCODER", ">TOKENS", ">EXACT", ">PLOT", ">HIGHER")
    click.echo(table(heads, [one.row for one in found]))


def foretold(decoder: Decoder, hplm: Hplm, lines: list[str], text: str, encoder: str) -> Foretold:
    rows = decoder.windows(lines, decoder.max_tokens)
    view = TableView("general", (), decoder.shape.hidden)
    knowledge = Knowledge("general", 0, view, hplm.encoder, hplm.bridge)

    def states(ids: NDArray[np.int64], packing: Packing) -> Tensor:
        got = retrieve(ids, np.array(packing.sizes, dtype=np.int64), knowledge)
        return knowledge.assemble(got, packing)

    return Foretold(
        text,
        encoder,
        sum(map(len, rows)),
        perplexity_of(decoder, rows),
        perplexity_of(decoder, rows, states),
    )


def trained(decoder: Decoder, start: Hplm, lines: list[str], minutes: float) -> Hplm:
    """A copy of `start`, trained further on a domain's text as a rebuild trains it."""
    pupil = Hplm.untrained(decoder, start.encoder.form.widths, start.bridge.widths)
    pupil.encoder.load(start.encoder.state_dict())
    pupil.bridge.load(start.bridge.state_dict())
    plan = DistilPlan(minutes=minutes, lr=FROM_A_TRAINED_ONE).suited_to(decoder)
    began = time.process_time()
    run = Distillation(pupil, decoder, lines, plan)
    run.run(lambda now: click.echo(f"{now.share:.0%}, error {now.error:.3f}", err=True))
    click.echo(f"trained in {time.process_time() - began:.0f} s of processor time", err=True)
    return pupil.freeze()


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [line for line in text.split("\n") if line.strip()]


if __name__ == "__main__":
    main()
