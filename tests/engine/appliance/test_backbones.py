from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput, Conflict, NotFound
from engine.schema import BackboneImport
from store.errors import Exists
from tests.engine.appliance.small import make_tenant, make_vplm, opened, probs
from tests.engine.conftest import write_checkpoint


@pytest.fixture(scope="session")
def other_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "Taller One"
    folder.mkdir()
    write_checkpoint(folder, layers=5)
    (folder / "notes.bin").write_bytes(b"of no use")
    return folder


def test_what_serves_is_listed_first_and_the_bundled_one_too(appliance: Appliance) -> None:
    first, *others = appliance.backbones().data
    assert (first.serving, first.origin, first.layers, first.split) == (True, "folder", 4, 2)
    assert [(one.origin, one.name, one.serving) for one in others] == [
        ("bundled", "all-MiniLM-L6-v2", False)
    ]


def test_a_checkpoint_is_imported_by_name_and_version(
    appliance: Appliance, other_checkpoint: Path
) -> None:
    made = appliance.import_backbone(BackboneImport(path=str(other_checkpoint)))
    assert (made.id, made.family, made.layers, made.split) == ("taller-one:1", "bert", 5, 2)
    assert not made.serving
    assert appliance.backbone("taller-one") == made
    names = {path.name for path in Path(made.folder).iterdir()}
    assert {"config.json", "model.safetensors"} <= names
    assert "notes.bin" not in names
    with pytest.raises(Exists, match='as "taller-one:1"'):
        appliance.import_backbone(BackboneImport(path=str(other_checkpoint), name="again"))


def test_an_imported_backbone_serves_after_its_folder_is_gone(
    settings: Settings, other_checkpoint: Path, tmp_path: Path
) -> None:
    passing = shutil.copytree(other_checkpoint, tmp_path / "passing")
    with opened(settings) as appliance:
        made = appliance.import_backbone(BackboneImport(path=str(passing), name="taller"))
    shutil.rmtree(passing)
    chosen = replace(settings, backbone=Path("taller"), encoder=None)
    with opened(chosen) as appliance:
        serving = appliance.backbone("taller:1")
        assert serving.serving
        told = appliance.status().backbone
        assert told is not None
        assert told.name == "taller"
        make_tenant(appliance)
        make_vplm(appliance, mode="exact")
        assert len(probs(appliance, "acme/a")[0]) == 2
        assert appliance.backbone(made.id).vplms == 1
        with pytest.raises(Conflict, match="serves"):
            appliance.remove_backbone("taller")
    with opened(settings) as appliance:
        with pytest.raises(Conflict, match="1 vPLMs have adapters"):
            appliance.remove_backbone("taller")
        appliance.remove_vplm("acme/a")
        appliance.remove_backbone("taller")
        with pytest.raises(NotFound):
            appliance.backbone("taller")
        assert not Path(made.folder).exists()


def test_what_is_no_checkpoint_is_refused_and_leaves_nothing(
    appliance: Appliance, other_checkpoint: Path, tmp_path: Path
) -> None:
    before = appliance.backbones()
    with pytest.raises(NotFound, match=r"no model\.safetensors"):
        appliance.import_backbone(BackboneImport(path=str(tmp_path)))
    with pytest.raises(BadInput, match="not a whole path"):
        appliance.import_backbone(BackboneImport(path="checkpoints/x"))
    odd = shutil.copytree(other_checkpoint, tmp_path / "odd")
    config = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(BadInput, match="an activation"):
        appliance.import_backbone(BackboneImport(path=str(odd)))
    with pytest.raises(BadInput, match="split 9 does not fit"):
        appliance.import_backbone(BackboneImport(path=str(other_checkpoint), split=9))
    assert appliance.backbones() == before
