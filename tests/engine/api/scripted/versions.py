"""What the appliance answers about versions of vPLMs."""

from __future__ import annotations

from engine.schema import (
    PromoteRequest,
    Published,
    PublishRequest,
    RollbackRequest,
    VplmVersion,
    VplmVersions,
)
from tests.engine.api.scripted.script import Script
from tests.engine.api.scripted.vplms import VPLM

VERSIONS = VplmVersions(
    vplm="acme/polarity",
    data=[
        VplmVersion(
            version=1,
            adapter="ab",
            rank=64,
            bytes=10,
            accuracy=None,
            origin="created",
            source="random",
            domain="reviews",
            published_at=1.0,
            serving=True,
        )
    ],
    keeps=10,
)

PUBLISHED = Published(**VPLM.model_dump(), note="as it was")


class VersionAnswers(Script):
    def versions(self, id: str) -> VplmVersions:
        self._do("versions", id)
        return VERSIONS

    def roll_back(self, id: str, request: RollbackRequest) -> Published:
        self._do("roll_back", id, request)
        return PUBLISHED

    def publish_adapter(self, id: str, request: PublishRequest) -> Published:
        self._do("publish_adapter", id, request)
        return PUBLISHED

    def promote(self, id: str, request: PromoteRequest) -> Published:
        self._do("promote", id, request)
        return PUBLISHED
