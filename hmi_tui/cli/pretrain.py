"""`hmi backbone pretrain`: a backbone made from nothing but a text."""

from __future__ import annotations

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import Leaf, flag


@click.command(cls=Leaf, hidden=True)
@click.argument("folder", metavar="DIR")
@flag("--corpus", metavar="FILE", required=True, help="UTF-8 text, plain or .gz.")
@flag("--valid", metavar="FILE", help="A text to judge the model on at the end.")
@flag("--minutes", type=float, help="Of processor time (60), turned into tokens at the start.")
@flag("--tokens", type=int, help="Instead: tokens to see.")
@flag("--seed", type=int, help="Decides everything that is random (0).")
@flag("--layers", type=int, help="Of the decoder (6).")
@flag("--hidden", type=int, help="Its width (224).")
@flag("--heads", type=int, help="Of attention, in each layer (4).")
@flag("--context", type=int, help="Tokens that it can read (256).")
@flag("--vocabulary", type=int, help="Tokens that it knows (4096).")
@flag("--lr", type=float, help="Learning rate (0.004).")
@flag("--batch-tokens", type=int, help="Tokens a step (2048).")
@flag("--dropout", type=float, help="Share left out, against many passes over one text (0).")
@flag("--threads", type=int, help="Of math (1).")
@flag("--save-s", type=float, help="Seconds between savings (300).")
def pretrain(**_flags: object) -> None:
    """Make a small GPT-2 and its tokenizer from a text, in DIR.

    Needs no running engine. DIR can be used as a backbone from the first saving on. Ctrl-C stops;
    the same command goes on where it was, also with other --tokens.
    """
    become("engine.training", "pretrain", place=False)
