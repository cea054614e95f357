"""What `hmi backbone pretrain` runs."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch

from engine.errors import BadInput, Cancelled, HmiError
from engine.model.backbone import pick_dtype
from engine.training.pretrain.corpus import Corpus, passages, read_corpus
from engine.training.pretrain.decoder import DecoderShape
from engine.training.pretrain.folder import (
    PretrainOrigin,
    finish_run,
    resume_run,
    save_run,
    write_model,
)
from engine.training.pretrain.run import (
    Foretold,
    Pretraining,
    PretrainPlan,
    PretrainProgress,
    foretell,
)
from engine.training.pretrain.vocabulary import learn_vocabulary, rows_of
from store.errors import StoreError

INTERRUPTED = 130
flag = partial(click.option, show_envvar=True, show_default=True)
FILE = click.Path(path_type=Path)
_ABOVE_0 = click.FloatRange(0, min_open=True)
_SHARE = click.FloatRange(0, 1, max_open=True)


def say(line: str) -> None:
    """Progress: a line on stderr."""
    click.echo(line, err=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("folder", type=FILE, metavar="DIR")
@flag("--corpus", type=FILE, required=True, metavar="FILE", help="UTF-8 text, plain or .gz.")
@flag("--valid", type=FILE, metavar="FILE", help="A text to judge the model on at the end.")
@flag("--minutes", type=_ABOVE_0, help="Of processor time (60), turned into tokens at the start.")
@flag("--tokens", type=click.IntRange(1), help="Instead: tokens to see.")
@flag("--seed", type=click.IntRange(0), default=0, help="Decides everything that is random.")
@flag("--layers", type=click.IntRange(2), default=6, help="Of the decoder.")
@flag("--hidden", type=click.IntRange(8), default=224, help="Its width.")
@flag("--heads", type=click.IntRange(1), default=4, help="Of attention, in each layer.")
@flag("--context", type=click.IntRange(8), default=256, help="Tokens that it can read.")
@flag("--vocabulary", type=click.IntRange(1), default=4096, help="Tokens that it knows.")
@flag("--lr", type=_ABOVE_0, default=4e-3, help="Learning rate.")
@flag("--batch-tokens", type=click.IntRange(1), default=2048, help="Tokens a step.")
@flag(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share; for many passes.",
)
@flag("--threads", type=click.IntRange(1), default=1, help="Of math.")
@flag("--save-s", type=_ABOVE_0, default=300.0, help="Seconds between savings.")
def pretrain(
    folder: Path,
    corpus: Path,
    valid: Path | None,
    minutes: float | None,
    tokens: int | None,
    seed: int,
    threads: int,
    save_s: float,
    **choices: Any,
) -> None:
    """Make a small GPT-2 and its tokenizer from a text, in DIR.

    DIR can be used as a backbone from the first saving on. Ctrl-C stops; the same command goes on
    where it was, also with other --tokens.
    """
    stopping = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: stopping.set())
    torch.set_num_threads(threads)
    try:
        if minutes is not None and tokens is not None:
            raise BadInput("--minutes and --tokens say the same thing twice.", remedy="Give one.")
        sizes = {name: choices.pop(name) for name in ("lr", "batch_tokens", "dropout")}
        plan = PretrainPlan(DecoderShape(**choices), seed=seed, **sizes)
        judged = read_corpus(valid) if valid is not None else None
        work = Work(folder, read_corpus(corpus), judged, plan)
        work.run(minutes, tokens, stopping, save_s)
    except Cancelled as stopped:
        say(f"{stopped} The same command goes on.")
        raise SystemExit(INTERRUPTED) from None
    except HmiError as error:
        say(f"hmi backbone pretrain: {error}")
        raise SystemExit(error.exit_code) from error
    except StoreError as error:
        say(f"hmi backbone pretrain: {error}")
        raise SystemExit(HmiError.exit_code) from error


class Work:
    """One call of the command."""

    def __init__(
        self, folder: Path, corpus: Corpus, judged: Corpus | None, plan: PretrainPlan
    ) -> None:
        self._folder, self._corpus, self._judged, self._plan = folder, corpus, judged, plan
        texts = passages(corpus.text)
        self._tokenizer = learn_vocabulary(texts, plan.shape.vocabulary)
        rows = rows_of(self._tokenizer, texts)
        self._text_tokens = sum(len(row) for row in rows)
        say(f"{len(rows):,} passages, {self._text_tokens:,} tokens, {corpus.bytes:,} bytes")
        self.pretraining = Pretraining(rows, plan, pick_dtype(torch.device("cpu")))
        self._origin = PretrainOrigin(corpus.sha256, plan)

    def run(
        self, minutes: float | None, tokens: int | None, stop: threading.Event, save_s: float
    ) -> None:
        run = self.pretraining
        kept = resume_run(self._folder, run, self._origin)
        if kept is not None:
            say(f"going on after {run.tokens:,} tokens")
        budget = tokens or (kept if kept is not None and minutes is None else None)
        if budget is None:
            speed = run.speed()
            budget = run.tokens + max(run.batch, int(speed * 60 * (minutes or 60.0)))
            say(f"{speed:,.0f} tokens a second of processor time, so {budget:,} tokens")
        try:
            run.run(budget, partial(self._report, budget), stop.is_set, save_s)
        except Cancelled:
            save_run(self._folder, run, self._origin, budget)
            raise
        self._publish(budget, self._judge())
        finish_run(self._folder)
        say(f"{self._folder} holds a model of {run.model.num_parameters():,} parameters")

    def _report(self, budget: int, progress: PretrainProgress) -> None:
        say(progress.line())
        save_run(self._folder, self.pretraining, self._origin, budget)
        self._publish(budget, None)

    def _judge(self) -> Foretold | None:
        """On the weights as they are written, in float32."""
        if self._judged is None:
            return None
        with torch.no_grad():
            for parameter in self.pretraining.model.parameters():
                parameter.copy_(parameter.half().float())
        rows = rows_of(self._tokenizer, passages(self._judged.text))
        found = foretell(self.pretraining.model, rows, self._judged.bytes)
        say(
            f"perplexity {found.perplexity:.2f} a token, {found.bits_per_byte:.3f} bits a byte "
            f"({found.tokens:,} tokens, {found.bytes:,} bytes)"
        )
        return found

    def _publish(self, budget: int, found: Foretold | None) -> None:
        run = self.pretraining
        report: dict[str, Any] = {
            "corpus_sha256": self._corpus.sha256,
            "corpus_bytes": self._corpus.bytes,
            "corpus_tokens": self._text_tokens,
            "plan": asdict(self._plan),
            "parameters": run.model.num_parameters(),
            "tokens_seen": run.tokens,
            "tokens_wanted": budget,
            "torch": torch.__version__,
        }
        if self._judged is not None and found is not None:
            report["valid"] = {
                "sha256": self._judged.sha256,
                "tokens": found.tokens,
                "bytes": found.bytes,
                "perplexity": round(found.perplexity, 3),
                "bits_per_byte": round(found.bits_per_byte, 4),
            }
        write_model(self._folder, run.model, self._tokenizer, report)
