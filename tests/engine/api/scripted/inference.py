"""What the appliance answers to texts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

from engine.schema import (
    ClassifyRequest,
    ClassifyResponse,
    Completion,
    CompletionChoice,
    CompletionChunk,
    CompletionRequest,
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    ModelCard,
    ModelList,
    Numbers,
    Prediction,
    PredictRequest,
    PredictResponse,
    Span,
    TaggedText,
    TagRequest,
    TagResponse,
    Timing,
    Usage,
)
from engine.schema.completions import CompletionUsage
from tests.engine.api.scripted.script import Script

_TIMING = Timing(
    queue_s=0.0,
    retrieve_s=0.0,
    load_s=0.0,
    compute_s=0.0,
    hit_rate=1.0,
    batch_size=1,
    tier="device",
    mode="plot",
)


class InferenceAnswers(Script):
    def _script(self) -> None:
        super()._script()
        self.hold = False
        self.holding = threading.Event()
        self.cancelled = threading.Event()

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        self._do("classify", request)
        if self.hold:
            self.holding.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        prediction = Prediction(index=0, label="positive", probs=[0.25, 0.75], num_classes=2)
        return ClassifyResponse(
            id="c1",
            created=1,
            model=request.model,
            data=[prediction],
            labels=["negative", "positive"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def tag(self, request: TagRequest) -> TagResponse:
        self._do("tag", request)
        span = Span(start=0, end=5, label="PER", score=0.9, text="Alice")
        return TagResponse(
            id="t1",
            created=1,
            model=request.model,
            data=[TaggedText(index=0, spans=[span])],
            labels=["PER"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def predict(self, request: PredictRequest) -> PredictResponse:
        self._do("predict", request)
        return PredictResponse(
            id="p1",
            created=1,
            model=request.model,
            data=[Numbers(index=0, values=[3.25])],
            outputs=["stars"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        self._do("embed", request)
        vector = "AACAPwAAAAA=" if request.encoding_format == "base64" else [1.0, 0.0]
        return EmbeddingsResponse(
            data=[Embedding(index=0, embedding=vector)],
            model=request.model,
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def complete(self, request: CompletionRequest) -> Completion:
        self._do("complete", request)
        choice = CompletionChoice(index=0, text=" and so on", finish_reason="length")
        return Completion(
            id="c",
            created=1,
            model=request.model,
            choices=[choice],
            usage=CompletionUsage.of(2, 3),
        )

    async def complete_stream(
        self, request: CompletionRequest
    ) -> AsyncGenerator[CompletionChunk, None]:
        self._do("complete_stream", request)
        try:
            for text in (" and", " so", " on"):
                choice = CompletionChoice(index=0, text=text)
                yield CompletionChunk(id="c", created=1, model=request.model, choices=[choice])
                if self.hold:
                    self.holding.set()
                    await asyncio.Event().wait()
            self._do("stream_end")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise

    def models(self, tenant: str | None = None) -> ModelList:
        self._do("models", *([] if tenant is None else [tenant]))
        return ModelList(data=[ModelCard(id="acme/polarity", created=1, owned_by="acme")])
