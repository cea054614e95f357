"""Letting a generator go on from a text, and what it has said so far."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from engine.client import AsyncClient, BadInput
from engine.schema import CompletionRequest, Mode, TokenOrigin, Vplm
from engine.schema.completions import CompletionTiming, CompletionUsage, Finish

MOST = 64
"""Tokens that a text goes on for."""
_TOLD_S = 0.05
"""Seconds between two looks at a text that grows; tokens may come faster."""


@dataclass(frozen=True, slots=True)
class Continued:
    """`finish` and what follows it are None until the text has ended."""

    text: str = ""
    finish: Finish | None = None
    usage: CompletionUsage | None = None
    timing: CompletionTiming | None = None
    origins: tuple[TokenOrigin, ...] = ()
    """Of the prompt's tokens and the text's, but for its last; none in exact mode."""


def going_on(vplm: Vplm, text: str, mode: Mode, seed: int | None = None) -> CompletionRequest:
    """What to ask; one `seed` makes answers in both modes comparable. BadInput for no
    text."""
    if not text:
        raise BadInput("There is no text to go on from.", remedy="Type its beginning.")
    return CompletionRequest(
        model=vplm.id, prompt=text, max_tokens=MOST, mode=mode, seed=seed, explain=mode == "plot"
    )


async def go_on(client: AsyncClient, request: CompletionRequest) -> AsyncGenerator[Continued, None]:
    """The text as it grows, and at last whole, with what it took. Closing it ends it in the
    engine."""
    so_far, told = Continued(), 0.0
    async with aclosing(client.complete_stream(request)) as chunks:
        async for chunk in chunks:
            for choice in chunk.choices:
                finish = choice.finish_reason or so_far.finish
                so_far = replace(
                    so_far,
                    text=so_far.text + choice.text,
                    finish=finish,
                    origins=(*so_far.origins, *(choice.origins or ())),
                )
            if chunk.usage is not None:
                so_far = replace(so_far, usage=chunk.usage, timing=chunk.timing)
            elif time.monotonic() - told < _TOLD_S:
                continue
            told = time.monotonic()
            yield so_far
