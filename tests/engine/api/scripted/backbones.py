"""What the appliance answers about backbones."""

from __future__ import annotations

from engine.schema import Backbone, BackboneImport, BackboneList
from tests.engine.api.scripted.script import Script

BACKBONE = Backbone(
    id="small:1",
    name="small",
    version=1,
    origin="imported",
    family="bert",
    sha256="cd",
    layers=4,
    split=2,
    hidden=32,
    bytes=10,
    folder="/x",
    serving=False,
    vplms=0,
    domains=[],
)


class BackboneAnswers(Script):
    def backbones(self) -> BackboneList:
        self._do("backbones")
        return BackboneList(data=[BACKBONE])

    def backbone(self, id: str) -> Backbone:
        self._do("backbone", id)
        return BACKBONE

    def import_backbone(self, request: BackboneImport) -> Backbone:
        self._do("import_backbone", request)
        return BACKBONE

    def remove_backbone(self, id: str) -> None:
        self._do("remove_backbone", id)
