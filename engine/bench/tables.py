"""Tables of the domains that are measured, built cold: from their corpora, by the real builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.bench.domains import ROOT
from engine.bench.model import Model
from engine.bench.sources import Sources
from engine.errors import Damaged
from engine.knowledge.build import BuildPlan, build_table
from engine.knowledge.encoder_file import load_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.row_cache import RowCache
from engine.knowledge.tree import DomainTree
from engine.model.rows import row_bytes
from store.rows import DomainRow
from store.tables import TableFiles

_EPOCH = 1


class Tables:
    """A root and the domains right below it, their tables in a folder."""

    def __init__(self, folder: Path, model: Model) -> None:
        self._model = model
        self._files = TableFiles(folder)
        self._own: dict[str, Hplm] = {}
        # Loaded here and not by the tree, which would serve on without one that cannot be used.
        self._tree = DomainTree(self._files, model.hplm, read=self._own.__getitem__)

    def build(
        self, sources: Sources, domains: Sequence[str], alpha: float, say: Callable[[str], None]
    ) -> None:
        """Build the root's table and those of `domains`."""
        for name in (ROOT, *(d for d in domains if d != ROOT)):
            self._put(name, epoch=0)
            self._build(name, sources.corpus(name), alpha, say)

    def open(self, domains: Sequence[str]) -> None:
        """Take up what another process has built in the same folder."""
        for name in (ROOT, *(d for d in domains if d != ROOT)):
            self._put(name, _EPOCH)

    def knowledge(self, domain: str, cache_bytes: int = 0) -> Knowledge:
        """The domain with a row cache of its own, empty; without one at 0.

        Damaged if its tables cannot be used: figures for anything else would be wrong ones.
        """
        taken = self._tree.take(domain)
        if taken.damage is not None:
            raise Damaged(taken.damage.detail, code=taken.damage.code)
        needed = {domain} if domain in self._own else {ROOT, domain}
        if not needed <= {segment.domain for segment in taken.view.segments}:
            raise Damaged(f'The table of domain "{domain}" or of the root is not in use.')
        hidden = self._model.backbone.shape.hidden
        cache = RowCache(cache_bytes, hidden).share(0) if cache_bytes else None
        return replace(taken, cache=cache)

    def _build(self, name: str, lines: list[str], alpha: float, say: Callable[[str], None]) -> None:
        model = self._model
        shape = (row_bytes(model.backbone.shape.hidden),)
        with self._files.writer(name, _EPOCH, shape, np.int8) as writer:
            report = build_table(
                writer,
                lines,
                len(lines),
                model.backbone,
                self._tree.take(name).encoder,
                self._tree.take(name).view,
                BuildPlan(alpha=alpha),
                lambda _share, _message: None,
                lambda: False,
            )
            writer.commit()
        self._put(name, _EPOCH)
        say(
            f"table {name}: {report.tokens:,} tokens, {report.entries:,} entries, "
            f"{report.coverage:.0%} of its trigrams, {report.seconds:.0f} s"
        )

    def _put(self, name: str, epoch: int) -> None:
        model, parent = self._model, None if name == ROOT else ROOT
        if parent is not None and name in model.own and name not in self._own:
            self._own[name] = load_hplm(model.own[name], model.backbone).to(model.backbone.device)
        own = name if name in self._own else None
        self._tree.put(DomainRow(name, parent, epoch, "ready", own, 0, 0, {}, 0.0))
