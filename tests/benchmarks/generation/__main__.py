"""Texts that go on, of 16 distinct vPLMs: in one batch and one at a time, by tables and exactly,
beside transformers' generate and PEFT's mixed batch on the same weights.

    python -m tests.benchmarks.generation --venvs DIR [--encoder FILE] [--shape 6x512]

Prompts are passages of the text, all of one length, so that no side pads. Warm tables have every
n-gram that is met; without tables every row is computed. The encoder may be untrained: no figure
here depends on what it says. Who is first changes from round to round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order
from engine.bench.table import table
from engine.knowledge.encoder_file import load_hplm
from engine.knowledge.hplm import Hplm
from engine.model.backbone import pick_dtype
from engine.model.decoder import Decoder, load_decoder
from tests.benchmarks.generation.ours import (
    RANK,
    Generation,
    Rows,
    Timed,
    no_tables,
    random_adapters,
    tables_of,
)
from tests.benchmarks.generation.subject import checkpoint, prompts_of
from tests.benchmarks.generation.theirs import Peft, Transformers
from tests.benchmarks.peers.environments import PEERS, NotInstalled, python_of

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)
Sides = dict[str, Callable[[], Timed]]


@dataclass(frozen=True, slots=True)
class Choice:
    split: int
    batch: int
    prompt: int
    tokens: int
    rounds: int
    threads: int
    seed: int = 0


@click.command()
@click.option("--model", type=FOLDER, default=None, help="Of the GPT-2 family; else the bundled.")
@click.option("--shape", default=None, help="LAYERSxHIDDEN: a made-up checkpoint, seeded.")
@click.option("--vocabulary", type=int, default=None, help="Of that one; else its tokenizer's.")
@click.option("--encoder", type=FILE, default=None, help="The general encoder; else untrained.")
@click.option("--bridge", type=int, default=None, help="Width of an untrained bridge; 0: none.")
@click.option("--text", type=FILE, default=None, help="Running text, .gz or not; else the README.")
@click.option("--venvs", type=PLACE, default=None, help="Where PEFT's environment is kept.")
@click.option("--split", type=int, default=4, show_default=True)
@click.option("--batch", type=int, default=16, show_default=True)
@click.option("--prompt", type=int, default=64, show_default=True, help="Tokens of each prompt.")
@click.option("--tokens", type=int, default=32, show_default=True, help="Tokens to say.")
@click.option("--rounds", type=int, default=5, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--float32", is_flag=True, help="Whatever the machine computes best in.")
@click.option("--cpu-time", is_flag=True, help="The processor's seconds, where others use it too.")
@click.option("--out", type=PLACE, default=None, help="Write JSON here.")
def main(
    model: Path | None,
    shape: str | None,
    vocabulary: int | None,
    encoder: Path | None,
    bridge: int | None,
    text: Path | None,
    venvs: Path | None,
    float32: bool,
    cpu_time: bool,
    out: Path | None,
    **choices: Any,
) -> None:
    """Median tokens a second of each side, all sides in turn in each round."""
    end_in_order()
    if out is not None:
        check_writable(out)
    choice = Choice(**choices)
    torch.set_num_threads(choice.threads)
    dtype = torch.float32 if float32 else pick_dtype(torch.device("cpu"))
    clock = time.process_time if cpu_time else time.perf_counter
    with checkpoint(model, shape, vocabulary, choice.seed) as folder:
        decoder = load_decoder(folder, split=choice.split, dtype=dtype)
        if encoder is not None:
            hplm = load_hplm(encoder, decoder)
        else:
            widths = None if bridge is None else (bridge,) * (bridge > 0)
            hplm = Hplm.untrained(decoder, None, widths).freeze()
        prompts = prompts_of(decoder, text, choice.batch, choice.prompt)
        adapters = random_adapters(decoder, choice.batch)
        ours = Generation(decoder, prompts, choice.tokens, adapters, clock)
        theirs = Transformers(folder, dtype, prompts, choice.tokens, clock)
        sides = _sides(decoder, hplm, prompts, ours, theirs)
        versions = {"transformers": theirs.version}
        distinct = {"ours": ours.distinct()}
        python = None if venvs is None else _python(venvs)
        with _peft(python, folder, decoder, prompts, choice, clock) as peft:
            if peft is not None:
                sides["PEFT, mixed batch"] = peft.run
                versions, distinct["PEFT"] = peft.versions, peft.distinct
            for name, count in distinct.items():
                if count != choice.batch:
                    raise click.ClickException(
                        f"{name} gave {count} distinct answers for {choice.batch} adapters."
                    )
            times = _take_turns(sides, choice.rounds)
        alike = {
            "exact and without adapters, ours and transformers'": _alike(
                ours.run(None, slots=[0] * choice.batch), theirs.run()
            ),
            "exact, in one batch and in turn": _alike(ours.run(None), ours.in_turn(None)),
            "plot, in one batch and in turn": _alike(
                sides["plot, warm"](), sides["plot, warm, in turn"]()
            ),
        }
    about = about_run(threads=choice.threads, seed=choice.seed, dtype=str(dtype))
    at = decoder.shape
    subject = (
        f"{decoder.checkpoint.name}: {at.layers} layers of {at.hidden}, {at.vocab:,} tokens, split "
        f"{choice.split}, bridge {hplm.bridge.widths}, {dtype}; {choice.batch} vPLMs of rank "
        f"{RANK}, prompts of {choice.prompt}, {choice.tokens} said; "
        f"{'CPU' if cpu_time else 'wall'} seconds"
    )
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    click.echo(f"{about.line()}\n{named}\n{subject}\n\n{_rendered(times, choice)}\n")
    rows = [(what, f"{share:.1%}") for what, share in alike.items()]
    click.echo(table(("GREEDY TEXTS ALIKE, UP TO EACH ONE'S FIRST DIFFERENCE", ">OF TOKENS"), rows))
    if out is not None:
        settings = asdict(choice) | {"subject": subject, "versions": versions}
        seconds = {
            name: [{"prefill": t.prefill, "decode": t.decode} for t in found]
            for name, found in times.items()
        }
        results = {"seconds": seconds, "alike": alike}
        write_document(Document("generation", about, settings, results), out)


def _sides(
    decoder: Decoder, hplm: Hplm, prompts: Rows, ours: Generation, theirs: Transformers
) -> Sides:
    none = no_tables(decoder, hplm)
    said = ours.run(none).said
    warm = tables_of(decoder, hplm, [[*p, *s] for p, s in zip(prompts, said, strict=True)])
    return {
        "plot, warm": lambda: ours.run(warm),
        "plot, no tables": lambda: ours.run(none),
        "exact": lambda: ours.run(None),
        "plot, warm, in turn": lambda: ours.in_turn(warm),
        "exact, in turn": lambda: ours.in_turn(None),
        "transformers, one model": theirs.run,
        "transformers, in turn": theirs.in_turn,
    }


def _take_turns(sides: Sides, rounds: int) -> dict[str, list[Timed]]:
    """Each side once a round; the first round warms up and does not count."""
    names = list(sides)
    times: dict[str, list[Timed]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            found = sides[name]()
            if turn:
                times[name].append(found)
        click.echo(f"round {turn} of {rounds}", err=True)
    return times


def _rendered(times: dict[str, list[Timed]], choice: Choice) -> str:
    exact = _middle(times["exact"])
    lines = []
    for name, found in times.items():
        prefill, decode = _middle(found)
        lines.append(
            (
                name,
                f"{choice.batch * choice.prompt / prefill:,.0f}",
                f"{exact[0] / prefill:.2f}",
                f"{choice.batch * (choice.tokens - 1) / decode:,.0f}",
                f"{exact[1] / decode:.2f}",
            )
        )
    heads = ("SIDE", ">PREFILL, TOKENS/S", ">TIMES EXACT", ">DECODE, TOKENS/S", ">TIMES EXACT")
    return table(heads, lines)


def _middle(found: list[Timed]) -> tuple[float, float]:
    return median(each.prefill for each in found), median(each.decode for each in found)


def _alike(ours: Timed, theirs: Timed) -> float:
    """The share of tokens that both say, up to each text's first difference."""
    alike = said = 0
    for mine, other in zip(ours.said, theirs.said, strict=True):
        pairs = [a == b for a, b in zip(mine, other, strict=True)]
        alike += pairs.index(False) if False in pairs else len(pairs)
        said += len(pairs)
    return alike / said


def _python(venvs: Path) -> Path:
    peer = next(peer for peer in PEERS if peer.name == "peft")
    try:
        return python_of(peer, venvs, lambda line: click.echo(line, err=True))
    except NotInstalled as error:
        raise click.ClickException(f"PEFT cannot be installed: {error}") from error


@contextmanager
def _peft(
    python: Path | None,
    folder: Path,
    decoder: Decoder,
    prompts: Rows,
    choice: Choice,
    clock: Callable[[], float],
) -> Iterator[Peft | None]:
    if python is None:
        yield None
        return
    try:
        found = Peft(python, folder, decoder, prompts, choice.tokens, choice.threads, clock)
    except NotInstalled as error:
        raise click.ClickException(f"PEFT does not answer: {error}") from error
    with closing(found):
        yield found


if __name__ == "__main__":
    main(prog_name="generation")
