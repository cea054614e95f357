from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.backbone_files import BackboneFiles
from store.catalogue import Catalogue
from store.errors import Exists, NotFound
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
