"""What takes up the disk."""

from __future__ import annotations

from fastapi import APIRouter

from engine.api.seen import Engine
from engine.schema import Collected, Storage

router = APIRouter(prefix="/v1/storage", tags=["storage"])


@router.get("", summary="The disk: bytes by kind, garbage, and what is free")
def storage(appliance: Engine) -> Storage:
    return appliance.storage()


@router.post("/collect", summary="Remove what nothing refers to")
def collect_garbage(appliance: Engine) -> Collected:
    return appliance.collect_garbage()
