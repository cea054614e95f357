from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store.backbone_files import BackboneFiles
from store.catalogue import Catalogue
from store.errors import Exists, NotFound
from store.migrations import MIGRATIONS
from store.rows import AdapterRow, BackboneRow

SHA = "c" * 64


@pytest.fixture
def backbone() -> BackboneRow:
    return BackboneRow("small", 0, SHA, "bert", 4, 32, 2, 1000, 100.0)


def test_backbones_are_numbered_by_name(catalogue: Catalogue, backbone: BackboneRow) -> None:
    first = catalogue.backbones.add(backbone)
    second = catalogue.backbones.add(replace(backbone, sha256="d" * 64))
    assert (first.id, second.id) == ("small:1", "small:2")
    assert catalogue.backbones.get("small") == second
    assert catalogue.backbones.get("small", 1) == first
    assert catalogue.backbones.all() == [second, first]
    with pytest.raises(NotFound, match='no backbone "small:3"'):
        catalogue.backbones.get("small", 3)


def test_the_same_weights_are_there_once(catalogue: Catalogue, backbone: BackboneRow) -> None:
    catalogue.backbones.check_new(SHA)
    catalogue.backbones.add(backbone)
    with pytest.raises(Exists, match='there already, as "small:1"'):
        catalogue.backbones.check_new(SHA)


def test_its_users_are_vplms_whose_adapters_were_made_for_it(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    assert catalogue.backbones.users(SHA) == 0
    made = replace(adapter, id="b" * 64, metadata={"backbone_sha256": SHA})
    catalogue.vplms.publish("acme/polarity", made.id, None, adapters=[made])
    assert catalogue.backbones.users(SHA) == 1


def test_a_vplm_from_before_has_the_backbone_that_its_adapter_was_made_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "catalogue.db"
    with Database(path) as db:
        MIGRATIONS.apply(db, stop_before="m014_backbone_of_a_vplm")
    with closing(sqlite3.connect(path)) as old:
        old.execute("pragma foreign_keys = off")
        for adapter, about in (("a", {"backbone_sha256": SHA}), ("b", {})):
            old.execute(
                "insert into adapters values (?, 1, 4, '', 2, 'random', ?, 1.0)",
                [adapter, json.dumps(about)],
            )
            old.execute(
                "insert into vplms (tenant, name, kind, domain, labels, mode, rank, adapter, "
                "version, pinned, created_at) values "
                "('acme', ?, 'classifier', 'general', '[]', 'plot', 4, ?, 1, 0, 1.0)",
                [adapter, adapter],
            )
        old.commit()
    with Catalogue(path) as catalogue:
        assert [(row.name, row.backbone) for row in catalogue.vplms.all()] == [
            ("a", SHA),
            ("b", ""),
        ]
        assert catalogue.backbones.users(SHA) == 1


def test_a_checkpoint_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights").write_bytes(b"x" * 5000)
    store = BackboneFiles(tmp_path / "backbones")
    sources = [tmp_path / "config.json", tmp_path / "weights"]
    assert store.put(SHA, "small", sources) == 5002
    folder = store.folder(SHA, "small")
    names = ["config.json", "config.json.sum", "weights", "weights.sum"]
    assert sorted(path.name for path in folder.iterdir()) == names
    with pytest.raises(FileNotFoundError):
        store.put("d" * 64, "other", [*sources, tmp_path / "nothing"])
    assert [path.name for path in (tmp_path / "backbones").iterdir()] == [SHA]
    store.remove(SHA)
    store.remove(SHA)
    assert list((tmp_path / "backbones").iterdir()) == []


def test_what_the_catalogue_does_not_know_is_swept(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    store = BackboneFiles(tmp_path / "backbones")
    for sha256 in (SHA, "d" * 64):
        store.put(sha256, "small", [tmp_path / "config.json"])
    assert store.sweep({SHA}) == 1
    assert store.folder(SHA, "small").is_dir()
    assert not store.folder("d" * 64, "small").exists()
