"""How much each tenant asked, month by month, and when each vPLM was asked last; what it cost is
reckoned from that."""

from __future__ import annotations

from collections.abc import Mapping

from store.connections import Connections

_ADD = """
    insert into usage (tenant, month, requests)
    select name, :month, :requests from tenants where name = :tenant
    on conflict (tenant, month) do update set requests = requests + excluded.requests
"""
_TOUCH = "update vplms set last_used = ? where tenant = ? and name = ?"


class UsageRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def add(self, requests: Mapping[tuple[str, str], int], last_used: Mapping[str, float]) -> None:
        """So many more requests by month and tenant, and when vPLMs were last asked, by id, in one
        transaction; what is of a tenant or a vPLM that is gone is nobody's."""
        with self._connections.writing() as db:
            for (month, tenant), count in requests.items():
                db.execute(_ADD, {"tenant": tenant, "month": month, "requests": count})
            for vplm, at in last_used.items():
                db.execute(_TOUCH, [at, *vplm.split("/", 1)])

    def of(self, month: str) -> dict[str, int]:
        """Requests of a month ("2026-11") by tenant."""
        sql = "select tenant, requests from usage where month = ?"
        return {row["tenant"]: row["requests"] for row in self._connections.query(sql, [month])}
