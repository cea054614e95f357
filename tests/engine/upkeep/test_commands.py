"""What `hmi backup`, `hmi restore` and `hmi fsck` say and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.api.sockets import owned
from engine.config import Paths
from engine.errors import NotFound, SocketBusy
from engine.upkeep.commands import backup, fsck, restore
from store.catalogue import Catalogue
from store.places import Places
from tests.store.homes import contents, flip, make_home

COMMANDS = {"backup": backup, "restore": restore, "fsck": fsck}
Run = Callable[..., Result]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(tmp_path / "home")


@pytest.fixture
def places(paths: Paths) -> Places:
    with Catalogue(paths.catalogue) as catalogue:
        return make_home(paths.data, catalogue)


@pytest.fixture
def run(paths: Paths) -> Run:
    def call(command: str, *words: str) -> Result:
        place = ["--home", str(paths.data.parent)]
        return CliRunner().invoke(COMMANDS[command], [*words, *place], catch_exceptions=False)

    return call


def test_a_backup_says_what_it_holds_and_comes_back(
    run: Run, places: Places, tmp_path: Path
) -> None:
    before = contents(places)
    made = run("backup", str(tmp_path / "b"))
    assert made.exit_code == 0
    assert "15 files" in made.stdout
    since = ["--since", str(tmp_path / "b"), "--json"]
    document = json.loads(run("backup", str(tmp_path / "b2"), *since).stdout)
    assert document["new_bytes"] < document["bytes"]
    assert document["faults"] == {}
    assert "is whole" in run("restore", str(tmp_path / "b2"), "--verify").stdout
    (places.corpora / "reviews.txt").unlink()
    assert str(places.root) in run("restore", str(tmp_path / "b2")).stdout
    assert contents(places) == before


def test_a_restore_is_refused_while_an_engine_has_the_home(
    run: Run, places: Places, paths: Paths, tmp_path: Path
) -> None:
    with owned(paths):
        assert run("backup", str(tmp_path / "b")).exit_code == 0
        assert run("fsck").exit_code == 0
        with pytest.raises(SocketBusy) as refused:
            run("restore", str(tmp_path / "b"))
        assert "hmi stop" in refused.value.remedy
        assert run("restore", str(tmp_path / "b"), "--verify").exit_code == 0


def test_a_fault_is_named_and_then_mended_from_a_backup(
    run: Run, places: Places, tmp_path: Path
) -> None:
    run("backup", str(tmp_path / "b"))
    manifest = places.tables / "reviews" / "000001" / "manifest.json"
    rows = manifest.with_name("rows.npy")
    flip(manifest)
    flip(rows)
    found = run("fsck")
    assert found.exit_code == 1
    assert f"{manifest} does not match its checksum" in found.stdout
    assert "--repair" in found.stderr
    assert run("fsck", "--repair").exit_code == 1
    mended = run("fsck", "--repair", "--from", str(tmp_path / "b"), "--json")
    assert mended.exit_code == 0
    faults = {fault["name"]: fault["mended"] for fault in json.loads(mended.stdout)["faults"]}
    # The one was hidden behind the other.
    assert faults == {places.name(manifest): True, places.name(rows): True}
    assert "all as they were written" in run("fsck").stdout


def test_a_backup_of_a_damaged_home_is_made_and_says_what_it_lacks(
    run: Run, places: Places, tmp_path: Path
) -> None:
    path = places.corpora / "reviews.txt"
    flip(path)
    made = run("backup", str(tmp_path / "b"))
    assert made.exit_code == 1
    assert str(path) in made.stderr
    assert (tmp_path / "b").exists()
    assert str(path) in run("restore", str(tmp_path / "b"), "--verify").stderr


def test_where_there_is_no_home_there_is_nothing_to_look_after(run: Run, tmp_path: Path) -> None:
    for words in (["backup", str(tmp_path / "b")], ["fsck"]):
        with pytest.raises(NotFound, match="no home"):
            run(*words)
    assert not (tmp_path / "b").exists()
