"""What the doctor finds of who may come in: address, certificate, keys, audit log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.config import Paths
from engine.schema import Status
from engine.telemetry.audit import AuditLog
from engine.upkeep import door
from engine.upkeep.finding import Finding
from store.catalogue import Catalogue
from store.rows import KeyRow
from tests.engine.api import certificate
from tests.engine.api.running import Running, running
from tests.engine.api.scripted import ScriptedAppliance
from tests.engine.api.scripted.engine import STATUS
from tests.engine.telemetry.test_audit import entry
from tests.store.homes import make_home

Files = tuple[Path, Path]


@contextmanager
def listening(home: Path, files: Files | None = None) -> Iterator[Running]:
    """An engine on the network, whose status says so."""
    home.mkdir()
    with running(home, ScriptedAppliance(), listen="127.0.0.1:0", tls=files) as engine:
        say(engine, engine.url.rpartition("/")[2], files)
        yield engine


def say(engine: Running, listen: str, files: Files | None = None) -> None:
    cert, key = (None, None) if files is None else map(str, files)
    told = {"listen": listen, "tls_cert": cert, "tls_key": key}

    def status() -> Status:
        return STATUS.model_copy(update={"engine": STATUS.engine.model_copy(update=told)})

    engine.appliance.status = status  # type: ignore[method-assign]


def network(engine: Running) -> dict[str, Finding]:
    return {finding.subject: finding for finding in door.network(engine.settings.paths)}


def test_an_engine_is_called_where_it_says_that_it_listens(tmp_path: Path) -> None:
    with listening(tmp_path / "e") as engine:
        assert network(engine)["network"].verdict == "ok"
        assert engine.url.removeprefix("http://") in network(engine)["network"].what
        say(engine, "127.0.0.1:1")
        assert network(engine)["network"].verdict == "fail"
        say(engine, f"0.0.0.0:{engine.url.rpartition(':')[2]}")
        assert network(engine)["network"].verdict == "warn"
        assert "--tls-cert" in network(engine)["network"].remedy
    assert list(door.network(engine.settings.paths)) == []


def test_the_socket_alone_is_said_to_be_the_only_way(tmp_path: Path) -> None:
    with running(tmp_path, ScriptedAppliance()) as engine:
        assert "only way in" in network(engine)["network"].what


@pytest.mark.parametrize(("days", "verdict"), [(2, "warn"), (90, "ok")])
def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, days: int, verdict: str) -> None:
    files = certificate.make(tmp_path, days)
    with listening(tmp_path / "e", files) as engine:
        found = network(engine)
        assert (found["network"].verdict, found["tls"].verdict) == ("ok", verdict)
        assert f"{days} days more" in found["tls"].what
        files[1].chmod(0o644)
        assert f"chmod 600 {files[1]}" in network(engine)["tls"].remedy


def test_one_that_has_expired_or_is_not_the_files_is_told(tmp_path: Path) -> None:
    files = certificate.make(tmp_path, days=-1)
    with listening(tmp_path / "e", files) as engine:
        assert "has expired" in network(engine)["tls"].what
        certificate.make(tmp_path)
        found = network(engine)["tls"]
        assert (found.verdict, "another certificate" in found.what) == ("fail", True)
        assert "hmi stop" in found.remedy


def test_keys_are_counted_by_holder_and_none_is_told(tmp_path: Path) -> None:
    paths = Paths.find(tmp_path / "home")
    with Catalogue(paths.catalogue) as catalogue:
        make_home(paths.data, catalogue)
        (none,) = door.keys(paths)
        assert (none.verdict, "hmi key --new" in none.remedy) == ("warn", True)
        for name, tenant, ends in (("a", "acme", None), ("b", "acme", time.time()), ("c", "", 9e9)):
            catalogue.keys.add(KeyRow(name, tenant, name, ("infer",), 1.0, ends))
        (found,) = door.keys(paths)
    assert found.verdict == "ok"
    assert found.what == "1 of the operator's, 1 of tenants' (1 of 1 have any)"
    assert list(door.keys(Paths.find(tmp_path / "none"))) == []


def test_entries_that_were_taken_out_of_the_audit_log_are_missed(tmp_path: Path) -> None:
    paths = Paths.find(tmp_path / "home")
    log = AuditLog(paths.audit, max_bytes=1000)
    for _ in range(9):
        log.add(entry())
    log.close()
    with paths.audit.open("ab") as file:
        file.write(b'{"id":10,"at"')
    (found,) = door.audit(paths)
    assert found.verdict == "ok"
    assert "9 entries" in found.what
    aside = paths.audit.with_name("audit.log.1")
    lines = aside.read_bytes().splitlines(keepends=True)
    aside.write_bytes(b"".join(lines[:1] + lines[2:]))
    (changed,) = door.audit(paths)
    assert changed.verdict == "fail"
    assert "was changed" in changed.what
