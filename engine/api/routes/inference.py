"""Predictions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from engine.api.bodies import unless_gone
from engine.api.port import Engine
from engine.schema import ClassifyRequest, ClassifyResponse, ModelList

router = APIRouter(prefix="/v1", tags=["inference"])


@router.post("/classify", response_model=ClassifyResponse, summary="Classify texts with a vPLM")
async def classify(
    appliance: Engine, classification: ClassifyRequest, request: Request
) -> Response:
    answer = await unless_gone(request.receive, appliance.classify(classification))
    # Written as it is: checking the engine's own answer again would cost as much as making it.
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/models", summary="The vPLMs in OpenAI's shape")
def models(appliance: Engine) -> ModelList:
    return appliance.models()
