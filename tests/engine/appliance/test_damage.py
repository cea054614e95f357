"""Tables whose files are not what they were: found, named, refused or served in exact mode."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.appliance.inspection import TableInspection
from engine.config import Settings
from engine.errors import Unavailable
from engine.schema import RebuildRequest
from store import sums
from store.tables import TableFiles
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
    until,
)


@pytest.fixture
def home(settings: Settings) -> Settings:
    """general over reviews over films, the two with tables; a vPLM in each of the three."""
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        make_domain(appliance, "films", "reviews")
        for domain in ("general", "reviews", "films"):
            make_vplm(appliance, f"acme/{domain}", domain=domain)
    return settings


def table(settings: Settings, domain: str = "reviews") -> Path:
    return max((settings.paths.tables / domain).glob("*/manifest.json")).parent


def spoil(settings: Settings, domain: str = "reviews", name: str = "rows.npy") -> Path:
    """Change one byte, so that the size still fits."""
    path = table(settings, domain) / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path


def states(appliance: Appliance) -> dict[str, str]:
    return {d.name: d.state for d in appliance.domains().data}


@pytest.fixture
def slow_inspection(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """All tables are compared beside serving, and only once the event is set."""
    go = threading.Event()
    verify = TableFiles.verify

    def late(tables: TableFiles, domain: str, epoch: int) -> None:
        assert go.wait(20)
        verify(tables, domain, epoch)

    monkeypatch.setattr(TableFiles, "verify", late)
    monkeypatch.setattr(
        "engine.appliance.stack.TableInspection", partial(TableInspection, at_once=-1)
    )
    yield go
    go.set()


@pytest.mark.parametrize("name", ["rows.npy", "keys.npy", "counts.npy"])
def test_a_changed_byte_is_found_before_serving_begins_and_named_everywhere(
    home: Settings, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = spoil(home, name=name)
    with caplog.at_level(logging.ERROR), opened(home) as appliance:
        assert states(appliance) == {"general": "empty", "reviews": "damaged", "films": "damaged"}
        for model in ("acme/reviews", "acme/films"):
            with pytest.raises(Unavailable, match="reviews") as refused:
                classify(appliance, model, "a good film")
            assert str(path) in refused.value.detail
            assert (refused.value.status, refused.value.code) == (503, "table_damaged")
            assert "hmi domain rebuild reviews" in refused.value.remedy
        assert classify(appliance, "acme/general", "a good film").timing.mode == "plot"
        assert classify(appliance, "acme/films", "a good film", "exact").timing.fallback is None
        (problem,) = [p for p in appliance.status().problems if str(path) in p.what]
        assert "hmi domain rebuild reviews" in problem.remedy
        assert str(path) in str(appliance.domain("films").damage)
        assert appliance.domain("general").damage is None
    assert str(path) in caplog.text


def test_a_whole_home_is_found_whole(home: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), opened(home) as appliance:
        assert states(appliance) == {"general": "empty", "reviews": "ready", "films": "ready"}
        assert appliance.status().problems == []
    assert caplog.text == ""


def test_a_large_table_is_compared_while_it_serves(
    home: Settings, slow_inspection: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    path = spoil(home)
    with caplog.at_level(logging.ERROR), opened(home) as appliance:
        assert states(appliance)["reviews"] == "ready"
        assert classify(appliance, "acme/general", "a good film").data
        slow_inspection.set()
        until(lambda: states(appliance)["reviews"] == "damaged", "finding the damage")
        with pytest.raises(Unavailable, match="does not match its checksum"):
            classify(appliance, "acme/films", "a good film")
    assert str(path) in caplog.text


def test_a_table_that_is_replaced_while_it_is_compared_condemns_nothing(
    home: Settings, slow_inspection: threading.Event
) -> None:
    spoil(home)
    with opened(home) as appliance:
        job = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest()).id)
        assert job.state == "succeeded"
        slow_inspection.set()
        until(lambda: not core_of(appliance).stack.inspection._waiting, "the end of the comparison")
        core_of(appliance).stack.inspection.stop()
        assert states(appliance) == {"general": "empty", "reviews": "ready", "films": "ready"}


def test_an_engine_that_compares_can_be_stopped(
    home: Settings, slow_inspection: threading.Event
) -> None:
    with opened(home) as appliance:
        thread = core_of(appliance).stack.inspection._thread
        assert thread.is_alive()
        slow_inspection.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_rebuild_heals_a_damaged_domain_and_its_children(home: Settings) -> None:
    with opened(home) as appliance:
        expected = {model: probs(appliance, model) for model in ("acme/reviews", "acme/films")}
    spoil(home)
    with opened(home) as appliance:
        job = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest(alpha=1.0)).id)
        assert job.state == "succeeded", job.error
        assert set(states(appliance).values()) == {"empty", "ready"}
        for model, answers in expected.items():
            assert same(probs(appliance, model), answers, tolerance_of(appliance))
            assert classify(appliance, model, "a good film").timing.hit_rate
    with opened(home) as appliance:
        assert set(states(appliance).values()) == {"empty", "ready"}


def test_where_the_operator_allowed_it_damage_is_served_in_exact_mode_and_says_so(
    home: Settings,
) -> None:
    path = spoil(home)
    with opened(replace(home, damaged="exact")) as appliance:
        for model in ("acme/reviews", "acme/films"):
            got = classify(appliance, model, list(TEXTS))
            assert got.timing.mode == "exact"
            assert str(path) in str(got.timing.fallback)
            assert got.timing.hit_rate is None
            exact = probs(appliance, model, mode="exact")
            assert same([row.probs for row in got.data], exact, tolerance_of(appliance))
        untouched = classify(appliance, "acme/general", list(TEXTS)).timing
        assert (untouched.mode, untouched.fallback) == ("plot", None)
        (problem,) = [p for p in appliance.status().problems if str(path) in p.what]
        assert "exact mode meanwhile" in problem.what
        ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest()).id)
        healed = classify(appliance, "acme/reviews", list(TEXTS)).timing
        assert (healed.mode, healed.fallback) == ("plot", None)


@pytest.mark.parametrize("sha256", ["0" * 64, None], ids=["another", "none"])
def test_a_table_of_another_backbone_is_refused_by_name(home: Settings, sha256: str | None) -> None:
    path = table(home) / "manifest.json"
    manifest = json.loads(path.read_text())
    ours = manifest["meta"]["backbone_sha256"]
    manifest["meta"]["backbone_sha256"] = sha256
    sums.write_whole(path, json.dumps(manifest).encode())
    with opened(home) as appliance:
        assert states(appliance)["reviews"] == "damaged"
        with pytest.raises(Unavailable, match="another backbone") as refused:
            classify(appliance, "acme/films", "a good film")
        assert ours[:12] in refused.value.detail
        assert (sha256 or "unknown")[:12] in refused.value.detail
        assert "hmi domain rebuild reviews" in refused.value.remedy
