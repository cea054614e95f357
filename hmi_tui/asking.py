"""Asking a vPLM on the route of its task."""

from __future__ import annotations

from typing import Any

from engine.client import AsyncClient, BadInput, Call, calls
from engine.schema import (
    ClassifyResponse,
    EmbeddingsResponse,
    Input,
    Mode,
    PredictResponse,
    TagResponse,
    TextPair,
    Vplm,
)
from hmi_tui.continuing import going_on

Reply = ClassifyResponse | TagResponse | PredictResponse | EmbeddingsResponse


async def ask(client: AsyncClient, vplm: Vplm, text: str, mode: Mode) -> Reply:
    """What a vPLM says of a text, if it does not go on from it; of two, if its task reads two and
    the text has a second line. A classifier in plot mode says where each token's row came from."""
    if vplm.task == "tokens":
        return await client.tag(vplm.id, text, mode)
    if vplm.task == "embedding":
        return await client.embed(vplm.id, text, mode)
    if vplm.task == "regression":
        return await client.predict(vplm.id, _input(vplm, text), mode)
    return await client.classify(vplm.id, _input(vplm, text), mode=mode, explain=mode == "plot")


def call_of(vplm: Vplm, text: str) -> Call[Any]:
    """The same as a call of the API, in the vPLM's own mode."""
    if vplm.task == "tokens":
        return calls.tag(vplm.id, text, vplm.mode)
    if vplm.task == "embedding":
        return calls.embed(vplm.id, text, vplm.mode)
    if vplm.task == "generate":
        return calls.complete(going_on(vplm, text, vplm.mode))
    given = _halves(text) if vplm.task == "pair" else text
    if vplm.task == "regression":
        return calls.predict(vplm.id, given, vplm.mode)
    return calls.classify(vplm.id, given, vplm.mode)


def _input(vplm: Vplm, text: str) -> Input:
    if vplm.task != "pair":
        return text
    pair = _halves(text)
    if not pair.text_pair.strip():
        raise BadInput(
            f"{vplm.id} reads two texts.",
            remedy="Put the second on a line of its own (ctrl+j makes a new line).",
        )
    return pair


def _halves(text: str) -> TextPair:
    first, _, second = text.partition("\n")
    return TextPair(text=first, text_pair=second)
