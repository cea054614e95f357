"""What takes up the disk."""

from __future__ import annotations

from fastapi import APIRouter

from engine.api.port import Engine
from engine.schema import Storage

router = APIRouter(prefix="/v1/storage", tags=["storage"])


@router.get("", summary="The disk: bytes by kind, garbage, and what is free")
def storage(appliance: Engine) -> Storage:
    return appliance.storage()
