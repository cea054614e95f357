"""The one place that turns errors into problem documents (and so into statuses)."""

from __future__ import annotations

import errno
import math
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from engine import errors
from engine.errors import HmiError
from engine.validation import FieldError, field_errors, refusal
from store.errors import BadText, StoreError

MEDIA_TYPE = "application/problem+json"

_STORE: dict[str, type[HmiError]] = {
    "not_found": errors.NotFound,
    "conflict": errors.Conflict,
    "bad_input": errors.BadInput,
    "no_space": errors.NoSpace,
    "damaged": errors.Damaged,
    "schema_too_new": errors.Unavailable,
    "disk_failed": errors.Unavailable,
}


class FieldProblem(BaseModel):
    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457, with a stable `code` and, in `remedy`, what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    message: str
    """Detail and remedy in one, where OpenAI's clients look for what they show."""
    errors: list[FieldProblem] | None = None
    """Of a 422: what is wrong with which field."""
    retry_after: float | None = None
    """Of a 429, or of a 503 that will pass: seconds."""
    line: int | None = None
    """Of a refused text: the line, from 1, that is the reason."""


def as_hmi(error: BaseException) -> HmiError:
    """The HmiError that `error` amounts to; an internal one if it is nothing foreseen."""
    if isinstance(error, HmiError):
        return error
    if isinstance(error, StoreError):
        if isinstance(error, BadText):
            return errors.BadInput(
                error.detail, remedy=error.remedy, code=error.code, line=error.line
            )
        kind = _STORE.get(error.code, HmiError)
        return kind(error.detail, remedy=error.remedy, code=error.code)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.NoSpace("The disk is full.", remedy="Free some space and try again.")
    return HmiError(
        "Something went wrong inside the engine.",
        remedy="Look at `hmi logs` for the request's id, which is in the X-Request-Id header.",
    )


def response(error: BaseException) -> Response:
    """The problem document of `error`."""
    problem = as_hmi(error)
    document = ProblemDocument(
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        remedy=problem.remedy,
        message=str(problem),
    )
    headers: dict[str, str] = {}
    if isinstance(problem, errors.BadInput):
        document.line = problem.line
    if isinstance(problem, errors.QueueFull | errors.NotLoaded):
        document.retry_after = problem.retry_after
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if isinstance(problem, errors.QuotaReached):
        # OpenAI's clients ask again after any 429 unless they are told that it is no use.
        headers["X-Should-Retry"] = "false"
    if isinstance(problem, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RequestValidationError) and problem.status == errors.BadInput.status:
        fields = _fields(error)
        document.errors = [FieldProblem(field=each.field, message=each.message) for each in fields]
    if isinstance(error, HTTPException) and error.headers:
        headers.update(error.headers)
    body = document.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


async def handle(_request: Request, error: Exception) -> Response:
    return response(error)


HANDLERS: dict[int | type[Exception], Any] = {
    HmiError: handle,
    StoreError: handle,
    HTTPException: handle,
    RequestValidationError: handle,
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
}
"""For the OpenAPI description of every route."""


def _fields(error: RequestValidationError) -> list[FieldError]:
    return field_errors(error.errors())


def _of_validation(error: RequestValidationError) -> HmiError:
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        reason = str(details[0].get("ctx", {}).get("error", "it cannot be read"))
        place = details[0]["loc"][-1]
        return errors.BadJson(
            f"The body is not JSON: {reason} (at character {place}).",
            remedy="Send a JSON document with Content-Type: application/json.",
        )
    return refusal(field_errors(details))


def _of_http(error: HTTPException) -> HmiError:
    if error.status_code == 404:
        return errors.NotFound(
            "There is no such route.", remedy="/docs lists them.", code="no_such_route"
        )
    if error.status_code == 405:
        return errors.MethodNotAllowed(
            "The route does not take this method.", remedy="/docs shows what each route takes."
        )
    if error.status_code == 413:
        return errors.TooLarge(error.detail, remedy="Send less at once.")
    if error.status_code == 400:
        return errors.BadJson(
            "The body cannot be read as JSON.",
            remedy="Send a JSON document in UTF-8 with Content-Type: application/json.",
        )
    return HmiError(error.detail)
