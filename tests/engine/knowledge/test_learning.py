"""A tree on the project's own texts, asked about something else than it was built for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.config import assets_dir
from engine.knowledge.build import BuildPlan, BuildReport, build_table, entry_bytes
from engine.knowledge.hplm import Hplm
from engine.knowledge.index import MISS
from engine.knowledge.retrieve import retrieve
from engine.knowledge.retrieved import Lookups
from engine.knowledge.tree import DomainTree
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import Ids, pack, trigrams
from engine.model.rows import row_bytes
from store.rows import DomainRow
from store.tables import TableFiles

LINES = 400
"""Of each corpus, from its beginning."""
BATCH = 32


def corpus(name: str) -> list[str]:
    text = (assets_dir() / "demo" / f"{name}.txt").read_text(encoding="utf-8")
    return text.splitlines()


class Grown:
    """billing below general, with tables of their corpora; what it computes does not matter."""

    def __init__(self, folder: Path, backbone: Backbone) -> None:
        hplm = Hplm(NgramEncoder(backbone, (8,)), Bridge(backbone, (8,))).freeze()
        self.backbone = backbone
        self.tables = TableFiles(folder)
        self.tree = DomainTree(self.tables, hplm)
        self.epochs = {"general": 0, "billing": 0}
        for name in self.epochs:
            self._put(name)
            self.rebuild(name)

    def rebuild(self, name: str, budget: int = 256 << 20) -> BuildReport:
        now, above = self.tree.take(name), self.tree.inherited(name)
        hidden = self.backbone.shape.hidden
        plan = BuildPlan(budget=budget, asked=now.traffic.asked(now.view), before=now.view)
        lines = corpus(name)[:LINES]
        self.epochs[name] += 1
        with self.tables.writer(name, self.epochs[name], (row_bytes(hidden),), np.int8) as writer:
            report = build_table(
                writer,
                lines,
                len(lines),
                self.backbone,
                now.encoder,
                TableView(name, (), hidden) if above is None else above.view,
                plan,
                lambda share, message: None,
                lambda: False,
            )
            writer.commit()
        self._put(name)
        return report

    def serve(self, lines: list[str]) -> Lookups:
        """Ask billing about `lines`, in batches, as the pipeline does."""
        total = Lookups(0, 0, 0, 0)
        for start in range(0, len(lines), BATCH):
            ids, lengths = self._packed(lines[start : start + BATCH])
            knowledge = self.tree.take("billing")
            found = retrieve(ids, lengths, knowledge).lookups()
            knowledge.traffic.add(found)
            total = Lookups(total.hits + found.hits, 0, 0, total.computed + found.computed)
        return total

    def hit_rate(self, lines: list[str]) -> float:
        """What billing would answer of `lines`; nothing is counted."""
        knowledge = self.tree.take("billing")
        keys = pack(trigrams(*self._packed(lines), knowledge.encoder.boundary))
        return float((knowledge.view.find(keys) != MISS).mean())

    def _packed(self, lines: list[str]) -> tuple[Ids, Ids]:
        rows = [self.backbone.cut(ids)[0] for ids in self.backbone.tokenize(lines)]
        ids = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
        return ids, np.array([len(row) for row in rows], dtype=np.int64)

    def _put(self, name: str) -> None:
        parent = None if name == "general" else "general"
        epoch = self.epochs[name]
        self.tree.put(DomainRow(name, parent, epoch, "ready", None, 0, 0, {}, 0.0))


@pytest.fixture
def grown(tmp_path: Path, bundled: Backbone) -> Grown:
    return Grown(tmp_path, bundled)


def test_traffic_of_another_kind_raises_its_hit_rate_after_one_update(grown: Grown) -> None:
    patients = corpus("clinic")[: 2 * LINES]
    seen, unseen = patients[0::2], patients[1::2]
    before = grown.hit_rate(unseen)
    served = grown.serve(seen)
    report = grown.rebuild("billing")
    assert before < 0.4
    assert grown.hit_rate(unseen) > before + 0.3
    assert report.lookups == served.tokens
    assert report.coverage_before < report.coverage
    assert report.promoted > 1000
    # What is stored for it: those n-grams, and the shorter ones that they back off to.
    assert report.entries <= report.kept + 3 * report.promoted


def test_in_the_bytes_it_had_it_learns_nearly_as_much(grown: Grown) -> None:
    patients = corpus("clinic")[: 2 * LINES]
    seen, unseen = patients[0::2], patients[1::2]
    before, own = grown.hit_rate(unseen), grown.tree.own("billing")
    assert own is not None
    grown.serve(seen)
    budget = len(own.keys) * entry_bytes(grown.backbone.shape.hidden)
    report = grown.rebuild("billing", budget)
    assert report.entries <= len(own.keys)
    assert report.evicted > 0
    assert grown.hit_rate(unseen) > before + 0.2


def test_traffic_of_its_own_kind_does_it_no_harm(grown: Grown) -> None:
    bills = corpus("billing")[LINES : 3 * LINES]
    before = grown.hit_rate(bills[1::2])
    grown.serve(bills[0::2])
    grown.rebuild("billing")
    assert grown.hit_rate(bills[1::2]) >= before
