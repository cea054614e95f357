"""The live domain tree: for each node the view and encoder that serving uses right now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.errors import HmiError, NotFound
from engine.knowledge.hplm import Hplm
from engine.knowledge.hplms import Hplms, KnownHplm
from engine.knowledge.retrieve import Damage, Knowledge
from engine.knowledge.row_cache import RowCache
from engine.knowledge.traffic import Traffic
from engine.knowledge.view import Segment, TableView
from store.errors import Damaged, StoreError
from store.rows import DomainRow
from store.tables import StoredTable, TableFiles

ROOT = "general"


class DomainTree:
    """Nodes are replaced whole: a reader takes one `Knowledge` and keeps it, nobody waits."""

    def __init__(
        self,
        tables: TableFiles,
        general: Hplm,
        damage: Damage | None = None,
        cache: RowCache | None = None,
        read: Callable[[str], Hplm] | None = None,
    ) -> None:
        """`damage` says why `general` cannot serve; then no domain that uses it can, but in exact
        mode.

        `cache` keeps computed rows, for all nodes; `read` loads a node's own hPLM by blob id.
        """
        self._cache = cache
        self._tables = tables
        self._encoder_damage = damage
        self._hplms = Hplms(general, read)
        self._rows: dict[str, DomainRow] = {}
        self._own: dict[str, Segment | None] = {}
        self._damage: dict[str, Damage] = {}
        self._condemned: dict[str, tuple[int, str]] = {}
        """What is wrong with an epoch's table that opens without complaint."""
        self._stale: set[str] = set()
        self._nodes: dict[str, Knowledge] = {}
        self._changing = threading.RLock()
        self.traffic: dict[str, Traffic] = {}

    @property
    def general(self) -> Hplm:
        """The root's, which serves all nodes but those that have their own and their children."""
        return self._hplms.general

    @property
    def _kind(self) -> str:
        """What to add to a command that is meant for these tables."""
        return " --kind generator" if self.general.encoder.shape.causal else ""

    def hplms(self) -> list[Hplm]:
        """All that are in memory."""
        return self._hplms.loaded()

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

    def stale(self, name: str) -> bool:
        """Whether the node has a table that another encoder made: it waits to be rebuilt."""
        return name in self._stale

    def inherited(self, name: str) -> Knowledge | None:
        """What a lookup would see without the node's own rows; None for the root."""
        with self._changing:
            parent = self._rows[name].parent
            return None if parent is None else self._nodes[parent]

    def load(self, rows: list[DomainRow]) -> None:
        """Open every node's table; one that is damaged is marked so and the others go on."""
        with self._changing:
            self._rows = {row.name: row for row in rows}
            self._refresh()

    def put(self, row: DomainRow, general: Hplm | None = None) -> None:
        """A node is new, or has published an epoch or an encoder, or changed its parent.

        With `general` the root was trained again: tables that were made with the old one are stale
        from now on.
        """
        with self._changing:
            if general is not None:
                self._encoder_damage = None
                self._hplms.put_general(general)
            before = self._rows.get(row.name)
            self._rows[row.name] = row
            moved = before is None or before.parent != row.parent or before.encoder != row.encoder
            published = row.name if before is not None and row.epoch > before.epoch else None
            # Only these change what other nodes inherit to compute with.
            self._refresh(None if moved or general is not None else row.name, published)

    def remove(self, name: str) -> None:
        """Forget a node; its children become its parent's."""
        with self._changing:
            gone = self._rows.pop(name)
            for known in (self._own, self._damage, self._condemned):
                known.pop(name, None)
            self._stale.discard(name)
            for child, row in list(self._rows.items()):
                if row.parent == name:
                    self._rows[child] = replace(row, parent=gone.parent)
            self._refresh()

    def condemn(self, name: str, epoch: int, why: str) -> bool:
        """The node's table of that epoch is damaged, though it could be opened: it serves no more.

        False if the node has gone on to another epoch, or is gone.
        """
        with self._changing:
            row = self._rows.get(name)
            if row is None or row.epoch != epoch:
                return False
            self._condemned[name] = (epoch, why)
            self._refresh(name)
            return True

    def _refresh(self, only: str | None = None, published: str | None = None) -> None:
        for row in self._rows.values():
            if only is None or row.name == only:
                self._open(row)
        self._resolve(published)

    def _open(self, row: DomainRow) -> None:
        before = self._own.get(row.name)
        self._own[row.name] = None
        self._damage.pop(row.name, None)
        self._stale.discard(row.name)
        try:
            used = self._hplms.of(self._lineage(row.name))
            if row.epoch == 0:
                return
            table = self._tables.open(row.name, row.epoch)
            self._check(row, table)
            # A row of another encoder would be a wrong answer: a hit must equal a computed miss.
            if table.manifest.meta.get("encoder") != used.fingerprint:
                self._stale.add(row.name)
            elif before is not None and before.epoch == row.epoch:
                self._own[row.name] = before
            else:
                self._own[row.name] = _segment(row, table)
        except (StoreError, HmiError) as error:
            self._damage[row.name] = Damage(
                f'The table of domain "{row.name}" cannot be used: {error.detail}',
                f"Rebuild it with hmi domain rebuild {row.name}{self._kind}, or ask in exact mode.",
                "table_damaged",
            )

    def _check(self, row: DomainRow, table: StoredTable) -> None:
        epoch, why = self._condemned.get(row.name, (0, ""))
        if epoch == row.epoch:
            raise Damaged(why)
        made_for = table.manifest.meta.get("backbone_sha256") or "unknown"
        running = self.general.encoder.form.backbone_sha256
        if made_for != running:
            raise Damaged(
                f"it was built for another backbone ({made_for[:12]}) than the one that runs "
                f"({running[:12]})."
            )

    def _resolve(self, published: str | None) -> None:
        # Built aside and swapped in one assignment: a lookup sees the old tree or the new one.
        nodes: dict[str, Knowledge] = {}
        for name, row in self._rows.items():
            chain = self._chain(name)
            own = next((self._damage[n] for n in chain if n in self._damage), None)
            # Below an encoder of its own, a general one that cannot serve harms nobody.
            general = None if self._lineage(name) else self._encoder_damage
            before = self._nodes.get(name)
            traffic = Traffic() if before is None else before.traffic
            used = self._hplms.of(self._lineage(name))
            segments = self._segments(row, chain, used)
            if before is not None and before.view.segments == segments:
                view = before.view
            else:
                view = TableView(name, segments, self.general.encoder.shape.hidden)
                if before is not None:
                    traffic.move(before.view, view, decay=name == published)
            nodes[name] = Knowledge(
                name,
                row.epoch,
                view,
                used.hplm.encoder,
                used.hplm.bridge,
                general or own,
                None if self._cache is None else self._cache.share(used.number),
                traffic,
            )
        self.traffic = {name: knowledge.traffic for name, knowledge in nodes.items()}
        self._nodes = nodes
        self._hplms.keep({row.encoder for row in self._rows.values() if row.encoder is not None})

    def _segments(self, row: DomainRow, chain: list[str], used: KnownHplm) -> tuple[Segment, ...]:
        """What a lookup in the node may be answered from, nearest first.

        Rows of another encoder than the node's are left out, or a hit would say something else
        than a computed miss. With a threshold the operator has allowed just that.
        """
        loose = float(row.params.get("threshold", 0.0)) > 0
        known = (self._own[name] for name in chain)
        return tuple(s for s in known if s is not None and (loose or s.encoder == used.fingerprint))

    def _lineage(self, name: str) -> list[str]:
        """The blob ids of own encoders on the way up from `name`, nearest first, root excluded."""
        rows = (self._rows[n] for n in self._chain(name))
        return [row.encoder for row in rows if row.encoder is not None and row.parent is not None]

    def _chain(self, name: str) -> list[str]:
        """The node and its ancestors, nearest first."""
        chain: list[str] = []
        at: str | None = name
        while at is not None:
            chain.append(at)
            at = self._rows[at].parent
        return chain


def _segment(row: DomainRow, table: StoredTable) -> Segment:
    counts = np.asarray(table.arrays["counts"], dtype=np.int64)
    encoder = str(table.manifest.meta.get("encoder", ""))
    return Segment(row.name, row.epoch, table.keys, table.rows, counts, encoder)
