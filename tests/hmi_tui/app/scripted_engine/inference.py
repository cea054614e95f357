"""What the engine in memory answers to texts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from engine.client import BadInput
from engine.schema import (
    ClassifyResponse,
    CompletionChoice,
    CompletionChunk,
    CompletionRequest,
    Input,
    Mode,
    Prediction,
    Timing,
    TokenOrigin,
    Usage,
)
from engine.schema.completions import CompletionTiming, CompletionUsage
from tests.hmi_tui.app.engine_documents import NOW
from tests.hmi_tui.app.scripted_engine.vplms import VplmAnswers


def some_tokens() -> list[TokenOrigin]:
    """One of each kind, of two nodes."""
    return [
        TokenOrigin(text="a", source="table", node="general"),
        TokenOrigin(text="witty", source="table", node="reviews"),
        TokenOrigin(text="film", source="table", node="reviews"),
        TokenOrigin(text="about", source="backed_off", node="general"),
        TokenOrigin(text="mem", source="cached", node=None),
        TokenOrigin(text="##es", source="computed", node=None),
    ]


@dataclass
class InferenceAnswers(VplmAnswers):
    fallback: str | None = None
    hold_text: bool = False
    """Whether a generated text stops after its first token, until it is closed."""
    texts_ended: int = 0

    async def complete_stream(
        self, request: CompletionRequest
    ) -> AsyncGenerator[CompletionChunk, None]:
        self._answer("complete_stream", request)

        def chunk(**told: Any) -> CompletionChunk:
            return CompletionChunk(**{"id": "g", "created": 1, "model": request.model} | told)

        try:
            told = some_tokens() if request.explain and not self.fallback else []
            for text, finish in ((" there", None), (" lived", None), (" a king.", "stop")):
                origins, told = told[:2], told[2:]
                choice = CompletionChoice(
                    index=0, text=text, finish_reason=finish, origins=origins or None
                )
                yield chunk(choices=[choice])
                if self.hold_text:
                    await asyncio.Event().wait()
            timing = CompletionTiming(
                queue_s=0.001,
                load_s=0.002,
                retrieve_s=0.01,
                compute_s=0.1,
                first_token_s=0.008,
                total_s=0.12,
                hit_rate=None if self.fallback or request.mode == "exact" else 0.5,
                batch_size=5,
                batch_models=4,
                tier="host",
                mode="exact" if self.fallback else request.mode or "plot",
                fallback=self.fallback,
            )
            yield chunk(choices=[], usage=CompletionUsage.of(4, 3), timing=timing)
        finally:
            self.texts_ended += 1

    async def classify(
        self, model: str, input: Input | list[str], mode: Mode | None = None, explain: bool = False
    ) -> ClassifyResponse:
        self._answer("classify", model, input, mode)
        asked = await self.vplm(model)
        if isinstance(input, str) and not input.strip():
            raise BadInput("input[0] is empty; give a text with at least one word")
        size = len(asked.labels)
        probs = [0.027] * size
        probs[-1] = 1 - 0.027 * (size - 1)
        plot = mode == "plot"
        return ClassifyResponse(
            id="c1",
            created=int(NOW),
            model=model,
            data=[
                Prediction(
                    index=0,
                    label=asked.labels[-1],
                    probs=probs,
                    num_classes=size,
                    truncated=isinstance(input, str) and len(input) > 1000,
                )
            ],
            labels=asked.labels,
            usage=Usage(prompt_tokens=9),
            tokens=[[] if self.fallback else some_tokens()] if explain else None,
            timing=Timing(
                queue_s=0.0004,
                retrieve_s=0.0012 if plot else 0.0081,
                load_s=0.0006,
                compute_s=0.0072,
                hit_rate=0.71 if plot else None,
                batch_size=3,
                batch_models=2,
                tier="host" if plot else "device",
                mode=mode or "plot",
                fallback=self.fallback if plot else None,
            ),
        )
