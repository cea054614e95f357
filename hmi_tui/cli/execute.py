"""Commands that become another program of this project: same flags, same process."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from hmi_tui.cli.grammar import given_home, given_socket


def become(module: str, *words: str, place: bool = True, flags: bool = True) -> NoReturn:
    """Replace this process by `python -m module words...` with the flags it was given.

    The process stays the same one, so signals and systemd's notification reach the program.
    Those that know neither --home nor --socket say so with `place`; those that know none of its
    own flags with `flags`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder named engine in the current directory must not be run instead of ours.
    given = flags_of(click.get_current_context(), place=place, own=flags)
    command = [sys.executable, "-P", "-m", module, *words, *given]
    os.execv(sys.executable, command)


def flags_of(ctx: click.Context, *, place: bool = True, own: bool = True) -> list[str]:
    """The options that were given to `ctx` (with `own`), and with `place` where, as a command
    line; its arguments stand last."""
    flags: list[str] = []
    words: list[str] = []
    for name, value in (("--home", given_home()), ("--socket", given_socket())):
        if place and value is not None:
            flags += [name, value]
    for param in ctx.command.params if own else ():
        value = ctx.params.get(str(param.name))
        if isinstance(param, click.Argument):
            words += ["--", str(value)]
        elif value is True:
            flags.append(param.opts[0])
        elif isinstance(value, tuple):
            flags += [word for each in value for word in (param.opts[0], str(each))]
        elif value is not None and value is not False:
            flags += [param.opts[0], str(value)]
    return flags + words
