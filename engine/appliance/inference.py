"""The calls everything else is for: texts in; labels, spans, numbers or vectors out."""

from __future__ import annotations

import base64
import secrets
import time

import numpy as np

from engine.appliance.asking import Asked, Asking
from engine.appliance.made_for import backbone_with
from engine.appliance.timing import timing_of, usage_of
from engine.errors import BadInput, NotFound
from engine.model.tagging import Tagging
from engine.schema import (
    ClassifyRequest,
    ClassifyResponse,
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    Numbers,
    Prediction,
    PredictRequest,
    PredictResponse,
    Span,
    TaggedText,
    TagRequest,
    TagResponse,
    TokenOrigin,
)
from engine.serving.work import Outcome

_HOLDS = 0.5
"""The probability from which a label of several holds."""


class InferenceCalls(Asking):
    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        asked = await self._asked(
            request.model,
            ("classify", "multilabel", "pair"),
            request.texts,
            request.mode,
            explain=request.explain,
        )
        labels = list(asked.model.labels)
        answer = ClassifyResponse(
            id=_id("classify"),
            created=int(time.time()),
            model=asked.model.id,
            version=asked.model.version,
            data=[_prediction(asked, i, labels) for i in range(len(asked.outcomes))],
            labels=labels,
            usage=usage_of(asked),
            timing=timing_of(asked),
        )
        if not request.explain:
            return answer
        return answer.model_copy(update={"tokens": self._explained(asked)})

    async def tag(self, request: TagRequest) -> TagResponse:
        asked = await self._asked(request.model, ("tokens",), request.texts, request.mode)
        tagging = Tagging(asked.model.labels)
        return TagResponse(
            id=_id("tag"),
            created=int(time.time()),
            model=asked.model.id,
            data=[_tagged(asked, i, text, tagging) for i, text in enumerate(request.texts)],
            labels=sorted(tagging.names),
            usage=usage_of(asked),
            timing=timing_of(asked),
        )

    async def predict(self, request: PredictRequest) -> PredictResponse:
        asked = await self._asked(request.model, ("regression",), request.texts, request.mode)
        data: list[Numbers] = []
        outputs = list(asked.model.labels)
        for i, (reading, outcome) in enumerate(zip(asked.readings, asked.outcomes, strict=True)):
            _check_size(asked, outcome, len(outputs))
            data.append(Numbers(index=i, values=list(outcome.values), truncated=reading.cut))
        return PredictResponse(
            id=_id("predict"),
            created=int(time.time()),
            model=asked.model.id,
            data=data,
            outputs=outputs,
            usage=usage_of(asked),
            timing=timing_of(asked),
        )

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        core = self._core
        own = backbone_with(core, core.models.take(request.model).backbone).hidden
        if request.dimensions not in (None, own):
            raise BadInput(
                f"The backbone's vectors have {own} dimensions, and were not trained to be cut to "
                f"{request.dimensions}.",
                remedy="Leave dimensions out.",
                code="dimensions",
            )
        asked = await self._asked(request.model, ("embedding",), request.texts, request.mode)
        packed = request.encoding_format == "base64"
        return EmbeddingsResponse(
            data=[
                Embedding(
                    index=i,
                    embedding=_packed(outcome) if packed else list(outcome.values),
                    truncated=reading.cut,
                )
                for i, (reading, outcome) in enumerate(
                    zip(asked.readings, asked.outcomes, strict=True)
                )
            ],
            model=asked.model.id,
            usage=usage_of(asked),
            timing=timing_of(asked),
        )

    @staticmethod
    def _explained(asked: Asked) -> list[list[TokenOrigin]]:
        """Each text's tokens with where their rows came from; none of one in exact mode."""
        spell = asked.backbone.tokenizer.convert_ids_to_tokens
        return [
            [
                TokenOrigin(text=str(spell(token)), source=origin.source, node=origin.node)
                for token, origin in zip(reading.ids, outcome.origins or (), strict=False)
            ]
            for reading, outcome in zip(asked.readings, asked.outcomes, strict=True)
        ]


def _id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}"


def _prediction(asked: Asked, index: int, labels: list[str]) -> Prediction:
    outcome = asked.outcomes[index]
    _check_size(asked, outcome, len(labels))
    probs = outcome.values
    best = max(range(len(labels)), key=probs.__getitem__)
    several: list[str] | None = None
    if asked.model.task == "multilabel":
        ranked = sorted(range(len(labels)), key=lambda i: -probs[i])
        several = [labels[i] for i in ranked if probs[i] >= _HOLDS]
    return Prediction(
        index=index,
        label=labels[best],
        probs=list(probs),
        num_classes=len(labels),
        labels=several,
        truncated=asked.readings[index].cut,
    )


def _tagged(asked: Asked, index: int, text: str, tagging: Tagging) -> TaggedText:
    reading, outcome = asked.readings[index], asked.outcomes[index]
    offsets, width = reading.offsets, len(tagging.labels)
    _check_size(asked, outcome, len(offsets) * width)
    probs = np.array(outcome.values).reshape(len(offsets), width)
    spans: list[Span] = []
    best = probs.max(1, initial=0.0)
    for found in tagging.stretches(probs.argmax(1).tolist()):
        start, end = offsets[found.first][0], offsets[found.last][1]
        spans.append(
            Span(
                start=start,
                end=end,
                label=found.name,
                score=float(best[found.first : found.last + 1].mean()),
                text=text[start:end],
            )
        )
    return TaggedText(index=index, spans=spans, truncated=reading.cut)


def _packed(outcome: Outcome) -> str:
    return base64.b64encode(np.array(outcome.values, dtype="<f4").tobytes()).decode("ascii")


def _check_size(asked: Asked, outcome: Outcome, wanted: int) -> None:
    if len(outcome.values) != wanted:
        raise NotFound(
            f"{asked.model.id} changed its labels while the request waited.",
            remedy="Ask again.",
            code="model_changed",
        )
