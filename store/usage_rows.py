"""How much each tenant asked, month by month; what it cost is reckoned from that."""

from __future__ import annotations

from collections.abc import Mapping

from store.connections import Connections

_ADD = """
    insert into usage (tenant, month, requests)
    select name, :month, :requests from tenants where name = :tenant
    on conflict (tenant, month) do update set requests = requests + excluded.requests
"""


class UsageRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def add(self, month: str, requests: Mapping[str, int]) -> None:
        """So many more requests by tenant; those of a tenant that is gone are nobody's."""
        with self._connections.writing() as db:
            for tenant, count in requests.items():
                db.execute(_ADD, {"tenant": tenant, "month": month, "requests": count})

    def of(self, month: str) -> dict[str, int]:
        """Requests of a month ("2026-11") by tenant."""
        sql = "select tenant, requests from usage where month = ?"
        return {row["tenant"]: row["requests"] for row in self._connections.query(sql, [month])}
