"""The engine itself: is it there, can it serve, how is it doing, and please stop."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

import engine
from engine.api.seen import Engine
from engine.schema import Status, Version
from engine.telemetry.metrics import CONTENT_TYPE

router = APIRouter(tags=["engine"])


class Live(BaseModel):
    live: bool = True


class Readiness(BaseModel):
    ready: bool
    reasons: list[str]


@router.get("/livez", summary="Whether the process answers")
async def livez() -> Live:
    return Live()


@router.get("/readyz", summary="Whether it can serve; 503 with reasons until then")
async def readyz(request: Request, response: Response) -> Readiness:
    reasons = request.app.state.reasons()
    if reasons:
        response.status_code = 503
    return Readiness(ready=not reasons, reasons=reasons)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(appliance: Engine) -> Response:
    if not appliance.ready:
        return Response(appliance.metrics.render(ready=False), media_type=CONTENT_TYPE)
    status = appliance.status()
    free = status.host.disk_free_bytes
    content = appliance.metrics.render(status.queue, status.tiers, disk_free=free)
    return Response(content, media_type=CONTENT_TYPE)


@router.get("/v1/version", summary="Versions of the engine and of the API")
async def version() -> Version:
    return Version(version=engine.__version__)


@router.get("/v1/status", summary="Device, host, tiers, queue, domains, jobs and rates")
def status(appliance: Engine) -> Status:
    return appliance.status()


@router.post("/v1/stop", status_code=202, summary="End the engine cleanly")
async def stop(request: Request) -> Response:
    request.app.state.stop()
    return Response(status_code=202)
