"""The ASGI application: routes, limits, errors and the OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Lifespan

import engine
from engine.api import problems
from engine.api.bodies import BodyLimit, Uploads
from engine.api.express import Express
from engine.api.gate import Gate
from engine.api.guard import Guard, Identify
from engine.api.port import Port
from engine.api.routes import (
    adapters,
    backbones,
    datasets,
    domains,
    events,
    generation,
    inference,
    jobs,
    keys,
    starters,
    storage,
    tenants,
    trace,
    vplms,
)
from engine.api.routes import (
    audit as audit_routes,
)
from engine.api.routes import engine as engine_routes
from engine.config import Settings
from engine.telemetry.audit import AuditLog

_ROUTERS: tuple[APIRouter, ...] = (
    engine_routes.router,
    trace.router,
    events.router,
    tenants.router,
    keys.router,
    audit_routes.router,
    domains.router,
    backbones.router,
    vplms.router,
    starters.router,
    adapters.router,
    storage.router,
    datasets.router,
    jobs.router,
    inference.router,
    generation.router,
    adapters.hub,
)

_TAGS = [
    {"name": "engine", "description": "The engine itself: live, ready, status, metrics, stop."},
    {"name": "events", "description": "What happens, as server-sent events."},
    {"name": "tenants", "description": "Tenants, weights and quotas."},
    {"name": "keys", "description": "API keys: the tenants' and the operator's."},
    {"name": "domains", "description": "The domain tree, its texts and its tables."},
    {"name": "backbones", "description": "The pretrained models that all vPLMs share."},
    {"name": "vplms", "description": "The tenants' models."},
    {"name": "starters", "description": "Published adapters that vPLMs may start from."},
    {"name": "adapters", "description": "The adapter store."},
    {"name": "storage", "description": "What takes up the disk."},
    {"name": "datasets", "description": "Training data."},
    {"name": "jobs", "description": "Training and rebuilding."},
    {"name": "inference", "description": "Predictions."},
]


def create_app(
    appliance: Port,
    settings: Settings,
    *,
    audit: AuditLog,
    stop: Callable[[], None],
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """The API of `appliance`; `stop` is called by POST /v1/stop and returns at once."""

    def reasons() -> list[str]:
        return ["stopping"] if app.state.stopping else _reasons(appliance)

    app = FastAPI(
        title="HMI",
        summary="Customised language models for thousands of tenants, from one accelerator.",
        version=engine.__version__,
        openapi_tags=_TAGS,
        exception_handlers=problems.HANDLERS,
        responses=problems.RESPONSES,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
        redoc_url=None,
        lifespan=lifespan,
    )
    # What is added last is outermost.
    app.add_middleware(Guard, routes=routes_of(app), appliance=appliance, audit=audit)
    app.add_middleware(Express, appliance=appliance)
    app.add_middleware(BodyLimit, max_body=settings.max_body, max_upload=settings.max_upload)
    app.add_middleware(Identify, appliance=appliance)
    app.add_middleware(Gate, reasons=reasons)
    app.state.appliance = appliance
    app.state.audit = audit
    app.state.stop = stop
    app.state.stopping = False
    app.state.reasons = reasons
    app.state.uploads = Uploads()
    for router in _ROUTERS:
        app.include_router(router)
    _describe_problems(app)
    return app


def routes_of(app: FastAPI) -> list[BaseRoute]:
    """Every route that `create_app` makes: the framework's own, and ours."""
    return [*app.routes, *(route for router in _ROUTERS for route in router.routes)]


def _reasons(appliance: Port) -> list[str]:
    return [] if appliance.ready else (appliance.reasons or ["starting"])


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe_problems(app: FastAPI) -> None:
    """Name the problem document's schema, to which every route's responses refer."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        schema = problems.ProblemDocument.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        inner = schema.pop("$defs", {})
        document["components"]["schemas"].update(inner, ProblemDocument=schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
