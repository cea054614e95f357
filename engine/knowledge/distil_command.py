"""`python -m engine.knowledge.distil`: train a general n-gram encoder from a text file."""

from __future__ import annotations

import gzip
import hashlib
import shlex
import sys
from pathlib import Path

import click
import torch

from engine.knowledge.distil import DistilPlan, DistilProgress, distil
from engine.knowledge.encoder_file import save_encoder
from engine.model.backbone import load_backbone
from engine.model.ngram_encoder import NgramEncoder


def read_lines(path: Path) -> list[str]:
    """The non-empty lines of a text file, plain or gzip."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


@click.command()
@click.argument("corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--tokens", type=int, default=2_000_000, show_default=True)
@click.option("--lr", type=float, default=4e-4, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--backbone", type=click.Path(file_okay=False, path_type=Path), default=None)
@click.option("--split", type=int, default=3, show_default=True)
def main(
    corpus: Path,
    out: Path,
    minutes: float,
    tokens: int,
    lr: float,
    seed: int,
    threads: int,
    backbone: Path | None,
    split: int,
) -> None:
    """Distil the backbone's lower layers into an n-gram encoder, on CORPUS (a document a line)."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    shared = load_backbone(backbone, split=split)
    encoder = NgramEncoder(shared)
    plan = DistilPlan(tokens=tokens, minutes=minutes, lr=lr, seed=seed)
    made = {
        "command": shlex.join(["python", "-m", "engine.knowledge.distil", *_public(sys.argv[1:])]),
        "corpus": corpus.name,
        "corpus_sha256": hashlib.sha256(corpus.read_bytes()).hexdigest(),
        "seed": str(seed),
        "torch": str(torch.__version__),
    }

    def report(p: DistilProgress) -> None:
        click.echo(
            f"{p.share:6.1%}  step {p.step}  tokens {p.tokens}  {p.seconds:.0f} s  "
            f"loss {p.loss:.4f}  held-out layer {split}: {p.error:.4f}  top: {p.error_top:.4f}",
            err=True,
        )
        save_encoder(encoder, out, made | {"tokens": str(p.tokens), "error": f"{p.error:.4f}"})

    distil(encoder, shared, read_lines(corpus), plan, report)
    click.echo(str(out))


def _public(arguments: list[str]) -> list[str]:
    """The arguments without this machine's folders."""
    return [Path(a).name if "/" in a else a for a in arguments]
