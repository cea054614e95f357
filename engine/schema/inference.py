"""Texts in, labels out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from engine.schema.base import MAX_INPUTS, Answer, Mode, Request, Tier


class TextPair(Request):
    """Two texts that are read together, such as a premise and a hypothesis."""

    text: str
    text_pair: str


Input = str | TextPair


class TextRequest(Request):
    """Asks a vPLM about a text or several."""

    model: str
    input: str | list[str]
    mode: Mode | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _text_or_texts(cls, value: object) -> object:
        # Said once, instead of once for each way in which it might have been right.
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("give a text or a list of texts")
        return value

    @field_validator("input")
    @classmethod
    def _some_text(cls, value: str | list[str]) -> str | list[str]:
        _check_texts(value)
        return value

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class PairRequest(Request):
    """Asks a vPLM about a text, a pair of texts, or several of either."""

    model: str
    input: Input | list[Input]
    mode: Mode | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _text_or_texts(cls, value: object) -> object:
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str | TextPair | dict) for text in texts):
            raise ValueError("give a text or a list of texts")
        if not all(_is_pair(text) for text in texts if isinstance(text, dict)):
            raise ValueError('give a pair of texts as {"text": ..., "text_pair": ...}')
        return value

    @field_validator("input")
    @classmethod
    def _some_text(cls, value: Input | list[Input]) -> Input | list[Input]:
        _check_texts(value)
        return value

    @property
    def texts(self) -> list[str | tuple[str, str]]:
        """A pair as a tuple."""
        given = self.input if isinstance(self.input, list) else [self.input]
        return [each if isinstance(each, str) else (each.text, each.text_pair) for each in given]


def _is_pair(value: dict[str, object]) -> bool:
    return set(value) == {"text", "text_pair"} and all(
        isinstance(each, str) for each in value.values()
    )


def _check_texts(value: Input | list[Input] | list[str]) -> None:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise ValueError("input is an empty list; give at least one text")
    if len(texts) > MAX_INPUTS:
        raise ValueError(f"input holds {len(texts)} texts; at most {MAX_INPUTS} a request")
    for index, text in enumerate(texts):
        parts = (text,) if isinstance(text, str) else (text.text, text.text_pair)
        if not all(part.strip() for part in parts):
            raise ValueError(f"input[{index}] is empty; give a text with at least one word")


class ClassifyRequest(PairRequest):
    explain: bool = False
    """Whether the answer is to say where each token's row came from."""


def is_none(value: object) -> bool:
    """For fields that are left out where they say nothing."""
    return value is None


class Prediction(Answer):
    index: int
    label: str
    probs: list[float]
    num_classes: int
    labels: list[str] | None = Field(None, exclude_if=is_none)
    """Of a multi-label vPLM, the labels that hold (from one half on), most probable first; `probs`
    do not add up to 1 then. Others' answers leave it out."""
    truncated: bool = False
    """The text was longer than the backbone reads; only its beginning was used."""


class TokenOrigin(Answer):
    """One token, and where the row of the n-gram around it came from."""

    text: str
    source: Literal["table", "backed_off", "cached", "computed"]
    """In the table; the row of a shorter n-gram; computed lately; computed for this request."""
    node: str | None
    """The domain whose table had the row; None for a computed one."""


class Usage(Answer):
    prompt_tokens: int
    total_tokens: int = 0


class Timing(Answer):
    """Seconds of the slowest of the request's batches; shares over all its tokens."""

    queue_s: float
    retrieve_s: float
    load_s: float
    compute_s: float
    hit_rate: float | None
    """Share of tokens whose n-gram was in the table; None in exact mode."""
    cached_rate: float | None = None
    """Share whose row had been computed lately."""
    backed_off_rate: float | None = None
    """Share that took the row of a shorter n-gram."""
    computed_rate: float | None = None
    """Share whose row was computed for this request; the four shares add up to 1."""
    batch_size: int
    batch_models: int = 1
    """Distinct vPLMs in that batch."""
    tier: Tier
    """Where the adapter was when the request was accepted."""
    mode: Mode
    """How the lower layers were obtained, in truth."""
    fallback: str | None = None
    """Why the answer came in exact mode though tables were asked for; None if it did not."""


class ClassifyResponse(Answer):
    object: Literal["list"] = "list"
    id: str
    created: int
    model: str
    version: int | None = None
    """Of the vPLM, that answered."""
    data: list[Prediction]
    labels: list[str]
    usage: Usage
    timing: Timing
    tokens: list[list[TokenOrigin]] | None = None
    """For each text, if the request asks to explain; empty for one answered in exact mode."""


class ModelCard(Answer):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(Answer):
    object: Literal["list"] = "list"
    data: list[ModelCard]
