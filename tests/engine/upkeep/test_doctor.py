"""`hmi doctor` finds what it is there to find, with a remedy for each."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.config import Paths
from engine.upkeep.doctor import examine
from engine.upkeep.finding import Finding
from store.catalogue import Catalogue
from tests.store.homes import flip, make_home


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.find(tmp_path / "home")
    with Catalogue(paths.catalogue) as catalogue:
        make_home(paths.data, catalogue)
    return paths


def found(paths: Paths, subject: str) -> Finding:
    return next(each for each in examine(paths) if each.subject == subject)


def test_a_sound_home_has_nothing_that_fails_and_is_not_changed(paths: Paths) -> None:
    before = sorted(paths.data.rglob("*"))
    findings = examine(paths)
    assert not [each for each in findings if each.verdict == "fail"]
    assert all(each.remedy for each in findings if each.verdict != "ok")
    assert sorted(paths.data.rglob("*")) == before
    assert found(paths, "engine").what == "None is running."
    assert found(paths, "catalogue").what.startswith("as it was sealed")


def test_a_home_that_is_not_there_yet_is_no_failure(tmp_path: Path) -> None:
    assert found(Paths.find(tmp_path / "none"), "home").verdict == "warn"
    assert not (tmp_path / "none").exists()


def test_what_others_may_read_is_named_with_the_command_that_closes_it(paths: Paths) -> None:
    paths.catalogue.chmod(0o644)
    finding = found(paths, "modes")
    assert finding.verdict == "fail"
    assert str(paths.catalogue) in finding.what
    assert "chmod" in finding.remedy


def test_a_link_is_named(paths: Paths, tmp_path: Path) -> None:
    (paths.corpora / "other.txt").symlink_to(tmp_path)
    assert found(paths, "links").verdict == "fail"


def test_a_damaged_catalogue_is_named(paths: Paths) -> None:
    flip(paths.catalogue)
    finding = found(paths, "catalogue")
    assert finding.verdict == "fail"
    assert "hmi restore" in finding.remedy


@pytest.mark.parametrize(("free", "verdict"), [(10 << 30, "ok"), (2 << 30, "warn"), (9, "fail")])
def test_a_disk_that_is_nearly_full_is_told(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
) -> None:
    usage: Any = type("Usage", (), {"free": free})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert found(paths, "space").verdict == verdict


def test_a_file_in_the_sockets_place_and_an_open_folder_are_told(paths: Paths) -> None:
    paths.socket.touch(0o600)
    assert found(paths, "socket").verdict == "fail"
    paths.socket.unlink()
    paths.socket.parent.chmod(0o777)
    assert "Others may replace" in found(paths, "socket").what


def test_few_descriptors_are_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    assert "ulimit -n" in found(paths, "limits").remedy
