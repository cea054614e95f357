"""`hmi generate`: a prompt in; what a generator goes on with comes as it is said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from engine.errors import BadInput
from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import readable, show, wants_json
from hmi_tui.cli.requests import build

if TYPE_CHECKING:
    from engine.schema.completions import CompletionTiming


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("prompt", metavar="PROMPT|-")
@flag("--max-tokens", type=click.IntRange(1), default=64, show_default=True, help="At most.")
@flag("--temperature", type=click.FloatRange(0, 2), help="0: always the likeliest token (1).")
@flag("--top-p", type=click.FloatRange(0, 1, min_open=True), help="Of the likeliest, a share.")
@flag("--top-k", type=click.IntRange(0), help="Only so many of the likeliest.")
@flag("--seed", type=int, help="The same seed gives the same text.")
@flag("--stop", multiple=True, metavar="TEXT", help="End before this; may be given again.")
@flag("--mode", type=click.Choice(["plot", "exact"]), help="Rows, or the backbone's own layers.")
@readable
def generate(id: str, prompt: str, stop: tuple[str, ...], **choices: Any) -> None:
    """Let a generator go on from PROMPT, or from stdin (-).

    Prints the text as it comes, without the prompt. With --json one document in OpenAI's shape,
    with timing.
    """
    text = _stdin() if prompt == "-" else prompt
    given = {name: value for name, value in choices.items() if value is not None}
    if stop:
        given["stop"] = list(stop)
    from engine.schema import CompletionRequest

    request = build(CompletionRequest, model=id, prompt=text, **given)
    with connect() as client:
        if wants_json():
            answer = client.complete(request)
            show(answer, [], lambda: "")
            return
        timing = None
        for chunk in client.complete_stream(request):
            timing = chunk.timing or timing
            for choice in chunk.choices:
                click.echo(choice.text, nl=False)
            sys.stdout.flush()
    click.echo()
    _tell(timing)


def _tell(timing: CompletionTiming | None) -> None:
    if timing is not None and timing.fallback is not None:
        say(f"Answered in exact mode: {timing.fallback}")


def _stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise BadInput(f"stdin is not text: {error}.", remedy="Give UTF-8 text.") from error
