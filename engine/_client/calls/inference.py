"""Calls that ask a vPLM about texts."""

from __future__ import annotations

from collections.abc import Iterable

from engine._client.ask import Asks
from engine._client.call import Call, json_body, reader
from engine.schema import ClassifyResponse, Mode, ModelList


class InferenceCalls:
    @Asks
    @staticmethod
    def classify(
        model: str, input: str | Iterable[str], mode: Mode | None = None, explain: bool = False
    ) -> Call[ClassifyResponse]:
        """With `explain` the answer says where each token's row came from."""
        texts = input if isinstance(input, str) else list(input)
        asked = {"model": model, "input": texts, "mode": mode, "explain": explain or None}
        body = json_body(asked)
        return Call("POST", "/v1/classify", reader(ClassifyResponse), content=body, asks=True)

    @Asks
    @staticmethod
    def models() -> Call[ModelList]:
        return Call("GET", "/v1/models", reader(ModelList))
