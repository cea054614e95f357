"""`hmi embed`: texts in, vectors out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hmi_tui.cli.ask import asks, batches_of, say_caveats
from hmi_tui.cli.grammar import connect
from hmi_tui.cli.output import show

if TYPE_CHECKING:
    from engine.schema import EmbeddingsResponse, Mode


@asks()
def embed(id: str, texts: tuple[str, ...], mode: Mode | None) -> None:
    """Embed texts, or the lines of stdin.

    Prints a text's vector as a JSON list, a line each. With --json a document in OpenAI's shape,
    with timing, for every 1,024 texts.
    """
    batches = batches_of(texts, "embed")
    with connect() as client:
        for batch in batches:
            answer = client.embed(id, batch, mode)
            _print(answer)
            say_caveats(answer, batch, [one.truncated for one in answer.data])


def _print(answer: EmbeddingsResponse) -> None:
    vectors = [json.dumps(one.embedding) for one in answer.data]
    show(answer, vectors, lambda: "\n".join(vectors))
