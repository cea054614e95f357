"""What each tenant has in the store, counted where it is: in the catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from store.connections import Connections

_VPLMS = """
    select tenant, count(*) as vplms, sum(json_array_length(labels)) as labels
    from vplms where tenant in (select value from json_each(?)) group by tenant
"""
_ON_BACKBONES = """
    select tenant, backbone, count(*) as vplms, sum(json_array_length(labels)) as labels
    from vplms where tenant in (select value from json_each(?)) group by tenant, backbone
"""
_VERSIONS = """
    select tenant, count(*) as versions
    from versions where tenant in (select value from json_each(?)) group by tenant
"""
_ADAPTERS = """
    select tenant, count(*) as adapters, sum(bytes) as adapter_bytes
    from (select distinct tenant, adapter from adapter_uses
          where tenant in (select value from json_each(?)))
    join adapters on adapters.id = adapter group by tenant
"""
_DATASETS = """
    select tenant, count(*) as datasets, sum(bytes) as dataset_bytes
    from datasets where tenant in (select value from json_each(?)) group by tenant
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one tenant. `versions` are those of its vPLMs that are kept, `labels` those of all their
    heads; an adapter is held once, whether one version, several or a starting point has it."""

    vplms: int = 0
    versions: int = 0
    labels: int = 0
    adapters: int = 0
    adapter_bytes: int = 0
    datasets: int = 0
    dataset_bytes: int = 0

    @property
    def bytes(self) -> int:
        """What counts against the quota of bytes."""
        return self.adapter_bytes + self.dataset_bytes


class OnBackbone(NamedTuple):
    """A tenant's vPLMs of the backbone with that sha256, and the labels of their heads."""

    backbone: str
    vplms: int
    labels: int


class Holdings:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of(self, tenant: str) -> Holding:
        """Nothing for a tenant that is not there."""
        return self.of_all([tenant])[tenant]

    def uses(self, tenant: str, adapter: str) -> int:
        """How many versions and starting points of the tenant's have the adapter."""
        sql = "select count(*) from adapter_uses where tenant = ? and adapter = ?"
        return int(self._connections.value(sql, [tenant, adapter]))

    def on_backbones(self, tenants: Iterable[str]) -> dict[str, list[OnBackbone]]:
        """By tenant; one query, however many are asked for."""
        names = list(tenants)
        found: dict[str, list[OnBackbone]] = {name: [] for name in names}
        for row in self._connections.query(_ON_BACKBONES, [json.dumps(names)]):
            found[row.pop("tenant")].append(OnBackbone(**row))
        return found

    def of_all(self, tenants: Iterable[str]) -> dict[str, Holding]:
        """By tenant; four queries, however many are asked for."""
        names = list(tenants)
        counts: dict[str, dict[str, int]] = {name: {} for name in names}
        for sql in (_VPLMS, _VERSIONS, _ADAPTERS, _DATASETS):
            for row in self._connections.query(sql, [json.dumps(names)]):
                counts[row.pop("tenant")].update(row)
        return {name: Holding(**found) for name, found in counts.items()}
