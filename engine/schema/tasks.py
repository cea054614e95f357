"""Texts in; spans, numbers or vectors out."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from engine.schema.base import Answer
from engine.schema.inference import PairRequest, TextRequest, Timing, Usage


class TagRequest(TextRequest):
    pass


class Span(Answer):
    """Characters `start` to `end` (as Python counts them, the end not included)."""

    start: int
    end: int
    label: str
    score: float
    """The mean probability of its words' labels."""
    text: str


class TaggedText(Answer):
    index: int
    spans: list[Span]
    """In the order of the text."""
    truncated: bool = False
    """The text was longer than the backbone reads; the rest of it was not looked at."""


class TagResponse(Answer):
    object: Literal["list"] = "list"
    id: str
    created: int
    model: str
    data: list[TaggedText]
    labels: list[str]
    usage: Usage
    timing: Timing


class PredictRequest(PairRequest):
    pass


class Numbers(Answer):
    index: int
    values: list[float]
    """In the order of the answer's `outputs`."""
    truncated: bool = False


class PredictResponse(Answer):
    object: Literal["list"] = "list"
    id: str
    created: int
    model: str
    data: list[Numbers]
    outputs: list[str]
    usage: Usage
    timing: Timing


class EmbeddingsRequest(TextRequest):
    """As OpenAI's, with `mode`."""

    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    """The backbone's own number of them, or left out."""
    user: str | None = None
    """Taken, as OpenAI does, and not looked at."""

    @field_validator("input", mode="before")
    @classmethod
    def _no_tokens(cls, value: object) -> object:
        flat = value if isinstance(value, list) else [value]
        if any(isinstance(each, int | list) for each in flat):
            raise ValueError(
                "it holds token ids; send texts, for other tokenizers' ids mean nothing here"
            )
        return value


class Embedding(Answer):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Numbers, or in base64 their bytes as little-endian float32."""
    truncated: bool = False


class EmbeddingsResponse(Answer):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage
    timing: Timing
