"""Calls that ask a vPLM about texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from engine._client.ask import Asks
from engine._client.call import Call, json_body, reader
from engine.schema import (
    ClassifyResponse,
    EmbeddingsResponse,
    Input,
    Mode,
    ModelList,
    PredictResponse,
    TagResponse,
    TextPair,
)

Inputs = Input | Iterable[Input]
"""A text, a pair of texts (TextPair), or several of either."""


class InferenceCalls:
    @Asks
    @staticmethod
    def classify(
        model: str, input: Inputs, mode: Mode | None = None, explain: bool = False
    ) -> Call[ClassifyResponse]:
        """With `explain` the answer says where each token's row came from."""
        asked = _asked(model, input, mode) | {"explain": explain or None}
        body = json_body(asked)
        return Call("POST", "/v1/classify", reader(ClassifyResponse), content=body, asks=True)

    @Asks
    @staticmethod
    def tag(model: str, input: str | Iterable[str], mode: Mode | None = None) -> Call[TagResponse]:
        """The spans of texts."""
        body = json_body(_asked(model, input, mode))
        return Call("POST", "/v1/tag", reader(TagResponse), content=body, asks=True)

    @Asks
    @staticmethod
    def predict(model: str, input: Inputs, mode: Mode | None = None) -> Call[PredictResponse]:
        """Numbers for texts or pairs."""
        body = json_body(_asked(model, input, mode))
        return Call("POST", "/v1/predict", reader(PredictResponse), content=body, asks=True)

    @Asks
    @staticmethod
    def embed(
        model: str,
        input: str | Iterable[str],
        mode: Mode | None = None,
        encoding_format: Literal["float", "base64"] = "float",
    ) -> Call[EmbeddingsResponse]:
        """Texts as vectors."""
        asked = _asked(model, input, mode) | {"encoding_format": encoding_format}
        body = json_body(asked)
        return Call("POST", "/v1/embeddings", reader(EmbeddingsResponse), content=body, asks=True)

    @Asks
    @staticmethod
    def models() -> Call[ModelList]:
        return Call("GET", "/v1/models", reader(ModelList))


def _asked(model: str, input: Inputs, mode: Mode | None) -> dict[str, Any]:
    texts: Any = _plain(input) if isinstance(input, str | TextPair) else list(map(_plain, input))
    return {"model": model, "input": texts, "mode": mode}


def _plain(text: Input) -> Any:
    return text.model_dump() if isinstance(text, TextPair) else text
