"""Predictions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from engine.api.bodies import unless_gone
from engine.api.seen import Engine
from engine.schema import (
    Answer,
    ClassifyRequest,
    ClassifyResponse,
    EmbeddingsRequest,
    EmbeddingsResponse,
    ModelCard,
    ModelList,
    PredictRequest,
    PredictResponse,
    TagRequest,
    TagResponse,
)

router = APIRouter(prefix="/v1", tags=["inference"])


@router.post("/classify", response_model=ClassifyResponse, summary="Classify texts with a vPLM")
async def classify(
    appliance: Engine, classification: ClassifyRequest, request: Request
) -> Response:
    return _written(await unless_gone(request.receive, appliance.classify(classification)))


@router.post("/tag", response_model=TagResponse, summary="Mark the spans of texts")
async def tag(appliance: Engine, tagging: TagRequest, request: Request) -> Response:
    return _written(await unless_gone(request.receive, appliance.tag(tagging)))


@router.post("/predict", response_model=PredictResponse, summary="Predict numbers for texts")
async def predict(appliance: Engine, prediction: PredictRequest, request: Request) -> Response:
    return _written(await unless_gone(request.receive, appliance.predict(prediction)))


@router.post(
    "/embeddings", response_model=EmbeddingsResponse, summary="Texts as vectors, in OpenAI's shape"
)
async def embeddings(appliance: Engine, embedding: EmbeddingsRequest, request: Request) -> Response:
    return _written(await unless_gone(request.receive, appliance.embed(embedding)))


@router.get("/models", summary="The vPLMs in OpenAI's shape")
def models(appliance: Engine) -> ModelList:
    return appliance.models()


@router.get("/models/{tenant}/{name}", summary="One vPLM in OpenAI's shape")
def model(appliance: Engine, tenant: str, name: str) -> ModelCard:
    found = appliance.vplm(f"{tenant}/{name}")
    return ModelCard(id=found.id, created=int(found.created_at), owned_by=found.tenant)


def _written(answer: Answer) -> Response:
    """As it is: checking the engine's own answer again would cost as much as making it."""
    return Response(answer.model_dump_json(), media_type="application/json")
