"""Calls about versions of vPLMs, and about starting points."""

from __future__ import annotations

from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, query, reader, segment, vplm_path
from engine.schema import Published, Starter, StarterPage, StarterPublish, VplmVersions


class VersionCalls:
    @Asks
    @staticmethod
    def versions(id: str) -> Call[VplmVersions]:
        """What the vPLM has published, the newest first, as far as it is kept."""
        return Call("GET", f"{vplm_path(id)}/versions", reader(VplmVersions))

    @Asks
    @staticmethod
    def roll_back(id: str, version: int) -> Call[Published]:
        """Publish one of its earlier versions again; requests under way end as they began."""
        body = json_body({"version": version})
        return Call("POST", f"{vplm_path(id)}/rollback", reader(Published), content=body)

    @Asks
    @staticmethod
    def publish_adapter(id: str, adapter: str) -> Call[Published]:
        """Publish an adapter of the store, by its id, as the vPLM's next version."""
        body = json_body({"adapter": adapter})
        return Call("POST", f"{vplm_path(id)}/versions", reader(Published), content=body)

    @Asks
    @staticmethod
    def promote(id: str, to: str, version: int | None = None) -> Call[Published]:
        """Publish a version of it (None: the one that serves) as the next of `to`, the name of
        another vPLM of its tenant."""
        body = json_body({"to": to, "version": version})
        return Call("POST", f"{vplm_path(id)}/promote", reader(Published), content=body)

    @Asks
    @staticmethod
    def starters(
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> Call[StarterPage]:
        """All, or those that `tenant` may start from: the operator's and its own."""
        params = query(q=q, tenant=tenant, limit=limit, cursor=cursor, sort=sort)
        return Call("GET", "/v1/starters", reader(StarterPage), params)

    @Asks
    @staticmethod
    def starter(id: str) -> Call[Starter]:
        """`id` is name or tenant/name, with :version for another than the newest."""
        return Call("GET", _starter_path(id), reader(Starter))

    @Asks
    @staticmethod
    def publish_starter(request: StarterPublish) -> Call[Starter]:
        return Call("POST", "/v1/starters", reader(Starter), content=json_body(request))

    @Asks
    @staticmethod
    def remove_starter(id: str) -> Call[None]:
        """vPLMs that began with it stay as they are."""
        return Call("DELETE", _starter_path(id), nothing)


def _starter_path(id: str) -> str:
    owner, slash, name = id.rpartition("/")
    whole = f"{segment(owner)}/{segment(name)}" if slash else segment(name)
    return f"/v1/starters/{whole}"
