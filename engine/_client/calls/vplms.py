"""Calls about vPLMs. Their ids are tenant/name."""

from __future__ import annotations

import json
from typing import Literal

from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, query, reader, vplm_path
from engine.schema import (
    BulkCreated,
    Created,
    Miss,
    Mode,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
)


class VplmCalls:
    @Asks
    @staticmethod
    def vplms(
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        fuzzy: bool = False,
    ) -> Call[VplmPage]:
        """With `fuzzy`, where no id contains `q`, those that have its characters in order."""
        loosely = "true" if fuzzy else None
        params = query(q=q, tenant=tenant, limit=limit, cursor=cursor, sort=sort, fuzzy=loosely)
        return Call("GET", "/v1/vplms", reader(VplmPage), params)

    @Asks
    @staticmethod
    def vplm(id: str) -> Call[Vplm]:
        """`id` is tenant/name."""
        return Call("GET", vplm_path(id), reader(Vplm))

    @Asks
    @staticmethod
    def create_vplm(request: VplmCreate) -> Call[Created]:
        """The answer says what it starts from."""
        return Call("POST", "/v1/vplms", reader(Created), content=json_body(request))

    @Asks
    @staticmethod
    def create_vplms(request: VplmBulkCreate) -> Call[list[str]]:
        """The ids of the new vPLMs."""
        body = json_body(request)
        return Call("POST", "/v1/vplms:bulk", _created, content=body, slow=True)

    @Asks
    @staticmethod
    def change_vplm(
        id: str,
        pin: bool | None = None,
        domain: str | None = None,
        mode: Mode | None = None,
        miss: Miss | Literal["engine"] | None = None,
    ) -> Call[Vplm]:
        """None leaves a value as it is; the miss policy "engine" is whatever the engine's is."""
        changes: dict[str, object] = {"pin": pin, "domain": domain, "mode": mode, "miss": miss}
        given = {name: value for name, value in changes.items() if value is not None}
        if miss == "engine":
            # That it has no policy of its own is said with null, which json_body would leave out.
            given["miss"] = None
        return Call("PATCH", vplm_path(id), reader(Vplm), content=json.dumps(given).encode())

    @Asks
    @staticmethod
    def remove_vplm(id: str) -> Call[None]:
        return Call("DELETE", vplm_path(id), nothing)


def _created(body: bytes) -> list[str]:
    return BulkCreated.model_validate_json(body).created
