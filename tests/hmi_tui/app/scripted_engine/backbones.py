"""What the engine in memory answers about backbones."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.schema import Backbone, LoadedBackbone
from tests.engine.api.scripted.backbones import BACKBONE
from tests.hmi_tui.app.scripted_engine.script import Script


@dataclass
class BackboneAnswers(Script):
    backbone_rows: list[Backbone] = field(default_factory=lambda: [BACKBONE])
    loaded: list[LoadedBackbone] = field(default_factory=list)
    """What the status says is in memory."""

    async def backbones(self) -> list[Backbone]:
        self._answer()
        return self.backbone_rows
