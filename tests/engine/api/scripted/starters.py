"""What the appliance answers about starting points."""

from __future__ import annotations

from engine.schema import Starter, StarterPage, StarterPublish
from tests.engine.api.scripted.script import Script

STARTER = Starter(
    id="polarity:1",
    owner=None,
    name="polarity",
    version=1,
    adapter="ab",
    labels=["negative", "positive"],
    domain="reviews",
    mode="plot",
    accuracy=0.9,
    task="is it praise",
    data="",
    note="",
    source="acme/polarity:1",
    published_at=1.0,
)


class StarterAnswers(Script):
    def starters(
        self, q: str, tenant: str | None, sort: str | None, limit: int, cursor: str | None
    ) -> StarterPage:
        self._do("starters", q, tenant, sort, limit, cursor)
        return StarterPage(data=[STARTER], total=1)

    def starter(self, id: str, tenant: str | None) -> Starter:
        self._do("starter", id, tenant)
        return STARTER

    def publish_starter(self, request: StarterPublish) -> Starter:
        self._do("publish_starter", request)
        return STARTER

    def remove_starter(self, id: str) -> None:
        self._do("remove_starter", id)
