"""What every command has in common: where the engine is, how to print, how failures end."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from engine.errors import HmiError

if TYPE_CHECKING:
    from engine.client import Client
    from engine.config import Paths

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, 128 + SIGINT."""

flag = partial(click.option, show_envvar=True)
"""An option whose HMI_ twin is shown: HMI_<COMMAND>_<FLAG>, or the `envvar` given."""


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Keep --home or --socket; a later command line wins, variables lose."""
    name = f"hmi.{param.name}"
    given = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
    if value is not None and (given or name not in ctx.meta):
        ctx.meta[name] = value


def _place() -> list[click.Parameter]:
    kept: dict[str, Any] = {"expose_value": False, "callback": _remember, "show_envvar": True}
    return [
        click.Option(
            ["--home"],
            metavar="DIR",
            envvar="HMI_HOME",
            help="Keep everything under this folder.",
            **kept,
        ),
        click.Option(
            ["--socket"], metavar="PATH", envvar="HMI_SOCKET", help="The engine's socket.", **kept
        ),
    ]


class Leaf(click.Command):
    """A command that does something; takes --home and --socket, as the root does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_place()]


class Branch(click.Group):
    """A command made of commands, such as `hmi tenant`."""

    command_class = Leaf


class Root(click.Group):
    """`hmi`: finds its commands by name in modules beside this one, and maps errors to exits."""

    def __init__(self, *args: Any, commands_in: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_place()]
        self._modules = commands_in

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        found = getattr(importlib.import_module(f"hmi_tui.cli.{module}"), cmd_name)
        return found if isinstance(found, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except HmiError as error:
            fail(error)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:
                # The reader has seen enough; click ends the command without a word.
                raise
            _forsake_stdout()
            fail(HmiError(f"{error.filename or 'The output'}: {error.strerror or error}."))


def _forsake_stdout() -> None:
    """What could not be written is still buffered; Python would try once more at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def fail(error: HmiError) -> NoReturn:
    """End the command as `error` says: what is wrong and what to do, on stderr."""
    click.echo(f"hmi: {error.detail}", err=True)
    if error.remedy:
        click.echo(f"     {error.remedy}", err=True)
    click.get_current_context().exit(error.exit_code)


def say(line: str) -> None:
    """Narration: a line on stderr."""
    click.echo(line, err=True)


def on_terminal() -> bool:
    """Whether somebody sits there: keys come from a terminal and the screen is one."""
    # The application draws on stderr, so that a command's data on stdout stays clean.
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def given_home() -> str | None:
    home: str | None = click.get_current_context().meta.get("hmi.home")
    return home


def given_socket() -> str | None:
    socket: str | None = click.get_current_context().meta.get("hmi.socket")
    return socket


def current_paths() -> Paths:
    """Where --home and --socket point, or their variables, or the platform's places."""
    from engine.config import Paths

    return Paths.find(given_home(), given_socket())


@contextmanager
def connect() -> Iterator[Client]:
    """A client of the engine that the command is about."""
    from engine.client import Client

    with Client(paths=current_paths()) as client:
        yield client


class Size(click.ParamType[int]):
    """Bytes, written as 256M or 2G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from engine.config import parse_size

        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except HmiError as error:
            self.fail(str(error), param, ctx)


SIZE = Size()
