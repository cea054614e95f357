"""Who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from engine.api.routes.paging import Cursor, Limit
from engine.errors import BadInput
from engine.schema import AuditPage

router = APIRouter(prefix="/v1/audit", tags=["engine"])


@router.get("", summary="Calls that changed something, or were to, the newest first")
def audit(
    request: Request,
    q: Annotated[str, Query(description="Only those whose line contains this.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditPage:
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise BadInput(
            f"{cursor!r} is not a cursor of this engine.",
            remedy="Use the next_cursor of the page before.",
            code="bad_cursor",
        )
    before = None if cursor is None else int(cursor)
    data, more = request.app.state.audit.page(q, limit, before)
    return AuditPage(data=data, next_cursor=None if more is None else str(more))
