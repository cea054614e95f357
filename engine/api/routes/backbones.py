"""Backbones: bundled and imported."""

from __future__ import annotations

from fastapi import APIRouter

from engine.api.seen import Engine
from engine.schema import Backbone, BackboneImport, BackboneList

router = APIRouter(prefix="/v1/backbones", tags=["backbones"])


@router.get("", summary="List backbones, the one that serves first")
def backbones(appliance: Engine) -> BackboneList:
    return appliance.backbones()


@router.post("", status_code=201, summary="Import a checkpoint from a folder of this machine")
def import_backbone(appliance: Engine, backbone: BackboneImport) -> Backbone:
    return appliance.import_backbone(backbone)


@router.get("/{backbone}", summary="One backbone: name, or name:version")
def backbone(appliance: Engine, backbone: str) -> Backbone:
    return appliance.backbone(backbone)


@router.delete("/{backbone}", status_code=204, summary="Remove one that nothing uses")
def remove_backbone(appliance: Engine, backbone: str) -> None:
    appliance.remove_backbone(backbone)
