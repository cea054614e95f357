"""`python -m engine.training`: what `hmi backbone pretrain` becomes."""

from __future__ import annotations

import click

from engine.training.pretrain.command import pretrain

if __name__ == "__main__":
    group = click.Group("training", commands={"pretrain": pretrain})
    group(prog_name="hmi backbone", auto_envvar_prefix="HMI_BACKBONE")
