"""What all documents share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Mode = Literal["plot", "exact"]
Kind = Literal["classifier", "generator"]
"""Which of the engine's backbones a vPLM is made for: the encoder, or the decoder."""
Place = Literal["attention", "feed_forward"]
"""Behind which of an upper layer's output projections an adapter sits."""
PLACES: tuple[Place, ...] = ("attention", "feed_forward")
Miss = Literal["compute", "backoff"]
"""What happens to n-grams that no table holds."""
Task = Literal["classify", "multilabel", "pair", "tokens", "regression", "embedding", "generate"]
"""What a vPLM answers: one label, several, one for two texts, spans, numbers, a vector, or more
text."""
Tier = Literal["disk", "host", "device"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

MAX_INPUTS = 1024
MAX_LABELS = 4096
MAX_LABEL = 256
"""Characters."""
MAX_COUNT = 100_000


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        # JSON can spell half of a surrogate pair; no file, database or tokenizer can hold it.
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not _encodable(text):
                raise ValueError("it has half of a surrogate pair, which is not text")
        return value


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
