"""Calls about the disk: what takes it up, and what nothing refers to."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.appliance.calls import Calls
from engine.schema import Collected, Stock, Storage, StoredKind
from store.files import GRACE_S
from store.measured import Measured, measure

log = logging.getLogger(__name__)

_NOTHING = Measured()


class StorageCalls(Calls):
    def storage(self) -> Storage:
        """Counted on the disk, now."""
        core = self._core
        stocks = self._stocks()
        disk = shutil.disk_usage(core.settings.paths.data)
        unused = core.catalogue.adapters.unused_size()
        return Storage(
            path=str(core.settings.paths.data),
            data=stocks,
            bytes=sum(stock.bytes for stock in stocks),
            garbage_bytes=sum(stock.garbage_bytes for stock in stocks),
            unused_adapters=unused.adapters,
            unused_adapter_bytes=unused.bytes,
            disk_bytes=disk.total,
            disk_free_bytes=disk.free,
        )

    def collect_garbage(self, grace: float = GRACE_S) -> Collected:
        """Remove what nothing refers to and nobody is about to refer to; serving goes on."""
        core = self._core
        gone = core.blobs.collect(core.catalogue.blob_ids, grace)
        gone += core.datasets.collect(self._datasets, grace)
        gone += core.tables.collect(self._tables, grace)
        if gone.files:
            log.info("collected %d files that nothing refers to, %d bytes", gone.files, gone.bytes)
        left = self.storage().garbage_bytes
        return Collected(files=gone.files, bytes=gone.bytes, left_bytes=left)

    def _datasets(self) -> set[str]:
        return {row.path_name for row in self._core.catalogue.datasets.all()}

    def _tables(self) -> set[tuple[str, int]]:
        return {(row.name, row.epoch) for row in self._core.catalogue.domains.known()}

    def _stocks(self) -> list[Stock]:
        core, paths = self._core, self._core.settings.paths
        # What is on the disk is listed before what is known: what comes meanwhile is no garbage.
        blobs = list(core.blobs.sizes())
        datasets = list(core.datasets.path_names())
        adapters, all_blobs = core.catalogue.adapters.ids(), core.catalogue.blob_ids()
        known = self._datasets()
        tables, old_tables = core.tables.measure(self._tables())
        traffic = core.traffic_files.measure()
        return [
            _stock(
                "adapters",
                _together(size for blob, size in blobs if blob in adapters),
                _together(size for blob, size in blobs if blob not in all_blobs),
            ),
            _stock("backbones", measure(paths.backbones)),
            _stock(
                "encoders", _together(size for blob, size in blobs if blob in all_blobs - adapters)
            ),
            _stock("tables", tables + traffic, old_tables),
            _stock("corpora", measure(paths.corpora)),
            _stock(
                "datasets",
                _together(size for name, size in datasets if name in known),
                _together(size for name, size in datasets if name not in known),
            ),
            _stock("checkpoints", measure(paths.training)),
            _stock("catalogue", _summed(map(measure, _files_of(paths.catalogue)))),
        ]


def _stock(kind: StoredKind, used: Measured, garbage: Measured = _NOTHING) -> Stock:
    return Stock(
        kind=kind,
        files=used.files + garbage.files,
        bytes=used.bytes + garbage.bytes,
        garbage_files=garbage.files,
        garbage_bytes=garbage.bytes,
    )


def _together(sizes: Iterable[int]) -> Measured:
    """Files of these sizes."""
    return _summed(Measured(1, size) for size in sizes)


def _summed(parts: Iterable[Measured]) -> Measured:
    return sum(parts, _NOTHING)


def _files_of(catalogue: Path) -> Iterable[Path]:
    """The database, and what SQLite keeps beside it."""
    return catalogue.parent.glob(f"{catalogue.name}*")
