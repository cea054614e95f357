"""The catalogue: what there is and how it belongs together, in one SQLite file.

It knows every blob, table and dataset; a file that it does not know is garbage. So whoever stores
writes the file first and the row after, and whoever removes does it the other way round.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from store.adapter_rows import AdapterRows
from store.backbone_rows import BackboneRows
from store.connections import Connections
from store.dataset_rows import DatasetRows
from store.domain_rows import DomainRows
from store.epoch_rows import EpochRows
from store.holdings import Holdings
from store.job_rows import JobRows
from store.key_rows import KeyRows
from store.rows import AdapterRow, DatasetRow, DomainRow, JobRow, TenantRow, VplmRow
from store.starter_rows import StarterRows
from store.tenant_rows import TenantRows
from store.usage_rows import UsageRows
from store.version_rows import VersionRows
from store.vplm_rows import VplmRows

__all__ = [
    "AdapterRow",
    "Catalogue",
    "DatasetRow",
    "DomainRow",
    "JobRow",
    "TenantRow",
    "VplmRow",
]


class Catalogue:
    """Opens, and if need be makes or upgrades, the catalogue at `path` (mode 0600).

    Safe to use from several threads. Each method that writes is one transaction, which outlives
    the process from the moment the method returns. TooNew if a newer version wrote the file,
    Damaged if it is no catalogue.
    """

    def __init__(self, path: Path) -> None:
        self._connections = Connections(path)
        self.tenants = TenantRows(self._connections)
        self.keys = KeyRows(self._connections)
        self.domains = DomainRows(self._connections)
        self.vplms = VplmRows(self._connections)
        self.versions = VersionRows(self._connections)
        self.starters = StarterRows(self._connections)
        self.adapters = AdapterRows(self._connections)
        self.backbones = BackboneRows(self._connections)
        self.jobs = JobRows(self._connections)
        self.datasets = DatasetRows(self._connections)
        self.usage = UsageRows(self._connections)
        self.epochs = EpochRows(self._connections)
        self.holdings = Holdings(self._connections)

    def blob_ids(self) -> set[str]:
        """Every blob the catalogue knows, adapters and encoders: what `BlobStore.sweep` keeps."""
        sql = """
            select id from adapters
            union select encoder from knowledge where encoder is not null
        """
        return {row["id"] for row in self._connections.query(sql)}

    def knows_blob(self, blob: str) -> bool:
        """Whether it is one of them."""
        sql = """
            select exists (select 1 from adapters where id = :blob)
                or exists (select 1 from knowledge where encoder = :blob)
        """
        return bool(self._connections.value(sql, {"blob": blob}))

    def close(self) -> None:
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
