"""`hmi completion`: the shell's completion script."""

from __future__ import annotations

import click

from hmi_tui.cli.grammar import Leaf


@click.command(cls=Leaf)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: hmi completion bash > ~/.local/share/bash-completion/completions/hmi
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known.", ctx)
    click.echo(kind(ctx.find_root().command, {}, "hmi", "_HMI_COMPLETE").source())
