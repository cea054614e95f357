from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.knowledge.build import BuildReport
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import retrieve
from engine.knowledge.traffic import Recent
from engine.knowledge.traffic_file import TrafficLedger
from engine.knowledge.tree import DomainTree
from engine.model.backbone import Backbone
from store.rows import DomainRow
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

Grow = Callable[[], DomainTree]
LINE = "the film was very good"
OTHER = "my order is late"


@pytest.fixture
def files(tmp_path: Path) -> TrafficFiles:
    return TrafficFiles(tmp_path / "tables")


@pytest.fixture
def grow(
    tables: TableFiles,
    hplm: Hplm,
    publish: Callable[..., BuildReport],
    row: Callable[..., DomainRow],
) -> Grow:
    """The tree as an engine finds it at its start: reviews with a table, below general."""
    publish("reviews", 1, [LINE])

    def start() -> DomainTree:
        tree = DomainTree(tables, hplm)
        tree.load([row("general", None), row("reviews", "general", epoch=1)])
        return tree

    return start


def ask(tree: DomainTree, backbone: Backbone, *lines: str) -> None:
    """As the pipeline serves and counts them."""
    knowledge = tree.take("reviews")
    rows = backbone.tokenize(list(lines))
    lengths = np.array([len(each) for each in rows], dtype=np.int64)
    found = retrieve(np.array([t for each in rows for t in each]), lengths, knowledge)
    knowledge.traffic.add(found.lookups())


def asked(tree: DomainTree) -> tuple[list[int], list[int], int]:
    knowledge = tree.take("reviews")
    found = knowledge.traffic.asked(knowledge.view)
    return found.keys.tolist(), found.times.tolist(), found.lookups


def test_the_next_engine_knows_what_was_asked(
    grow: Grow, files: TrafficFiles, backbone: Backbone
) -> None:
    tree = grow()
    ask(tree, backbone, LINE, OTHER, OTHER)
    TrafficLedger(files, tree, "sha").save()
    again = grow()
    TrafficLedger(files, again, "sha").load()
    assert asked(again) == asked(tree)
    assert asked(again)[2] > 0
    recent = tree.traffic["reviews"].recent
    assert again.traffic["reviews"].recent == recent
    assert recent.hits > 0
    assert recent.misses > 0


def test_a_domain_nobody_asked_leaves_no_file(grow: Grow, files: TrafficFiles) -> None:
    tree = grow()
    TrafficLedger(files, tree, "sha").save()
    assert not files.path("reviews").exists()
    TrafficLedger(files, tree, "sha").load()


def test_only_the_domains_named_are_saved(
    grow: Grow, files: TrafficFiles, backbone: Backbone
) -> None:
    tree = grow()
    ask(tree, backbone, LINE)
    ledger = TrafficLedger(files, tree, "sha")
    ledger.save("general")
    assert not files.path("reviews").exists()
    ledger.save("reviews")
    assert files.path("reviews").exists()


def test_what_has_not_changed_is_not_written_again(
    grow: Grow, files: TrafficFiles, backbone: Backbone
) -> None:
    tree = grow()
    ledger = TrafficLedger(files, tree, "sha")
    ask(tree, backbone, LINE)
    ledger.save()
    files.remove("reviews")
    ledger.save()
    assert not files.path("reviews").exists()
    ask(tree, backbone, OTHER)
    ledger.save()
    assert files.path("reviews").exists()


def test_a_domain_that_is_removed_meanwhile_leaves_no_file(
    grow: Grow, files: TrafficFiles, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = grow()
    ask(tree, backbone, LINE)
    put = files.put

    def removed(domain: str, arrays: dict[str, np.ndarray]) -> int:
        tree.remove(domain)
        return put(domain, arrays)

    monkeypatch.setattr(files, "put", removed)
    TrafficLedger(files, tree, "sha").save()
    assert not files.path("reviews").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocabulary", np.array("other")),
        ("hits", np.zeros((2, 3), dtype=np.int64)),
        ("hits", np.array([[5, 5], [1, 1]])),
        ("hits", np.array([[5, 6], [1, -1]])),
        ("hits", np.zeros((2, 0))),
        ("missed", np.array([[5], [9], [3]])),
        ("missed", np.array([[5], [9], [1 << 40]])),
        ("missed", np.zeros((2, 0), dtype=np.int64)),
        ("totals", np.array([[-1], [0], [0]])),
        ("totals", np.zeros(3, dtype=np.int64)),
    ],
)
def test_a_file_that_cannot_be_true_is_dropped_with_a_log_line(
    grow: Grow,
    files: TrafficFiles,
    backbone: Backbone,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: np.ndarray,
) -> None:
    tree = grow()
    ask(tree, backbone, LINE, OTHER)
    TrafficLedger(files, tree, "sha").save()
    stored = files.get("reviews")
    assert stored is not None
    files.put("reviews", {**stored, name: value})
    again = grow()
    with caplog.at_level(logging.WARNING):
        TrafficLedger(files, again, "sha").load()
    assert "reviews is forgotten" in caplog.text
    assert not files.path("reviews").exists()
    assert asked(again) == ([], [], 0)
    assert again.traffic["reviews"].recent == Recent()


def test_a_torn_file_is_dropped_with_a_log_line(
    grow: Grow, files: TrafficFiles, backbone: Backbone, caplog: pytest.LogCaptureFixture
) -> None:
    tree = grow()
    ask(tree, backbone, LINE)
    TrafficLedger(files, tree, "sha").save()
    path = files.path("reviews")
    path.write_bytes(path.read_bytes()[:-40])
    TrafficLedger(files, grow(), "sha").load()
    assert str(path) in caplog.text
    assert not path.exists()


def test_a_full_disk_is_a_log_line(
    grow: Grow,
    files: TrafficFiles,
    backbone: Backbone,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    tree = grow()
    ask(tree, backbone, LINE)
    monkeypatch.setattr(files, "put", full)
    TrafficLedger(files, tree, "sha").save()
    assert "could not be saved" in caplog.text
