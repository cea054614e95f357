"""The live domain tree: for each node the view and encoder that serving uses right now."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import NotFound
from engine.knowledge.retrieve import Damage, Knowledge, Lookups
from engine.knowledge.row_cache import RowCache
from engine.knowledge.view import Segment, TableView
from engine.model.ngram_encoder import NgramEncoder
from store.errors import Damaged, StoreError
from store.rows import DomainRow
from store.tables import TableFiles

ROOT = "general"


@dataclass(slots=True)
class Traffic:
    """Token lookups of one domain since the engine started."""

    hits: int = 0
    computed: int = 0
    backed_off: int = 0
    cached: int = 0

    @property
    def missed(self) -> int:
        """Lookups that no table answered."""
        return self.computed + self.backed_off + self.cached

    def add(self, found: Lookups) -> None:
        self.hits += found.hits
        self.computed += found.computed
        self.backed_off += found.backed_off
        self.cached += found.cached


class DomainTree:
    """Nodes are replaced whole: a reader takes one `Knowledge` and keeps it, nobody waits."""

    def __init__(
        self,
        tables: TableFiles,
        encoder: NgramEncoder,
        damage: Damage | None = None,
        cache: RowCache | None = None,
    ) -> None:
        """`damage` says why `encoder` cannot serve; then no domain can, but in exact mode.

        `cache` keeps rows that `encoder` computed, for all nodes.
        """
        self._cache = cache
        self._tables = tables
        self._encoder_damage = damage
        self._encoder = encoder
        self._fingerprint = encoder.fingerprint()
        self._rows: dict[str, DomainRow] = {}
        self._own: dict[str, Segment | None] = {}
        self._damage: dict[str, Damage] = {}
        self._nodes: dict[str, Knowledge] = {}
        self._changing = threading.RLock()
        self.traffic: dict[str, Traffic] = {}

    def take(self, name: str) -> Knowledge:
        """What serving in domain `name` uses now; NotFound."""
        try:
            return self._nodes[name]
        except KeyError:
            raise NotFound(
                f'There is no domain "{name}".', remedy="hmi domain ls lists them."
            ) from None

    def all(self) -> list[Knowledge]:
        """What serving uses now, of every domain."""
        return list(self._nodes.values())

    def own(self, name: str) -> Segment | None:
        """The node's own overrides, None before its first epoch."""
        return self._own.get(name)

    def inherited(self, name: str) -> TableView:
        """What a lookup would see without the node's own rows."""
        with self._changing:
            segments = self._segments(self._chain(name)[1:])
        return TableView(name, segments, self._encoder.shape.hidden)

    def load(self, rows: list[DomainRow]) -> None:
        """Open every node's table; one that is damaged is marked so and the others go on."""
        with self._changing:
            self._rows = {row.name: row for row in rows}
            for row in rows:
                self._open(row)
            self._resolve()

    def put(self, row: DomainRow) -> None:
        """A node is new, or has published an epoch, or changed its parent."""
        with self._changing:
            self._rows[row.name] = row
            self._open(row)
            self._resolve()

    def remove(self, name: str) -> None:
        """Forget a node; its children become its parent's."""
        with self._changing:
            gone = self._rows.pop(name)
            self._own.pop(name, None)
            self._damage.pop(name, None)
            for child, row in list(self._rows.items()):
                if row.parent == name:
                    self._rows[child] = replace(row, parent=gone.parent)
            self._resolve()

    def _open(self, row: DomainRow) -> None:
        self._own[row.name] = None
        self._damage.pop(row.name, None)
        if row.epoch == 0:
            return
        try:
            self._own[row.name] = self._segment(row)
        except StoreError as error:
            self._damage[row.name] = Damage(
                f'The table of domain "{row.name}" cannot be used: {error.detail}',
                f"Rebuild it with hmi domain rebuild {row.name}, or ask in exact mode.",
                "table_damaged",
            )

    def _segment(self, row: DomainRow) -> Segment:
        table = self._tables.open(row.name, row.epoch)
        # A row of another encoder would be a wrong answer: a hit must equal a computed miss.
        if table.manifest.meta.get("encoder") != self._fingerprint:
            raise Damaged("it was built with another n-gram encoder.")
        counts = np.asarray(table.arrays["counts"], dtype=np.int64)
        return Segment(row.name, row.epoch, table.keys, table.rows, counts)

    def _resolve(self) -> None:
        # Built aside and swapped in one assignment: a lookup sees the old tree or the new one.
        nodes: dict[str, Knowledge] = {}
        for name, row in self._rows.items():
            chain = self._chain(name)
            own = next((self._damage[n] for n in chain if n in self._damage), None)
            before = self._nodes.get(name)
            segments = self._segments(chain)
            if before is not None and before.view.segments == segments:
                view = before.view
            else:
                view = TableView(name, segments, self._encoder.shape.hidden)
            nodes[name] = Knowledge(
                name, row.epoch, view, self._encoder, self._encoder_damage or own, self._cache
            )
        self.traffic = {name: self.traffic.get(name, Traffic()) for name in nodes}
        self._nodes = nodes

    def _segments(self, chain: list[str]) -> tuple[Segment, ...]:
        return tuple(s for s in (self._own[n] for n in chain) if s is not None)

    def _chain(self, name: str) -> list[str]:
        """The node and its ancestors, nearest first."""
        chain: list[str] = []
        at: str | None = name
        while at is not None:
            chain.append(at)
            at = self._rows[at].parent
        return chain
