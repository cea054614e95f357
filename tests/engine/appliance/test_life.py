"""Starting, reporting, ending, and starting again on the same home."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import HmiError, Unavailable
from engine.schema import RebuildRequest, TenantCreate, VplmPatch
from store.errors import TooNew
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
)


def test_before_it_has_started_every_call_says_why_not(settings: Settings) -> None:
    appliance = Appliance(settings)
    assert not appliance.ready
    assert appliance.reasons == ["starting"]
    for call in (
        appliance.status,
        appliance.domains,
        appliance.models,
        appliance.render_metrics,
        lambda: appliance.create_tenant(TenantCreate(name="a")),
        lambda: classify(appliance, "a/b", "text"),
    ):
        with pytest.raises(Unavailable, match="not ready: starting") as error:
            call()
        assert error.value.code == "not_ready"
    appliance.close()


def test_after_it_was_closed_it_is_not_ready(settings: Settings) -> None:
    with opened(settings) as appliance:
        assert appliance.ready
        assert appliance.reasons == []
    assert appliance.reasons == ["stopping"]
    appliance.close()


def test_a_closed_engine_is_let_go_of(settings: Settings) -> None:
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        probs(appliance, "acme/a")
        core = weakref.ref(core_of(appliance))
    gc.collect()
    assert core() is None


SINCE_START = ("hits", "misses", "computed", "cached", "backed_off")


def test_status_says_how_everything_is(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    classify(appliance, "acme/a", list(TEXTS))
    with pytest.raises(HmiError):
        classify(appliance, "acme/none", "dull")
    found = appliance.status()
    assert found.engine.ready
    assert found.backbone is not None
    assert (found.backbone.layers, found.backbone.split, found.backbone.hidden) == (4, 2, 32)
    assert (found.tenants, found.vplms) == (1, 1)
    assert [d.name for d in found.domains] == ["general", "reviews"]
    assert found.device.kind == "cpu"
    assert found.host.threads == 1
    assert {"backbone", "encoders", "table indexes", "adapter slots"} <= set(found.host.by_owner)
    assert (found.tiers["disk"].resident, found.tiers["device"].resident) == (1, 1)
    assert found.queue.depth == 0
    assert found.totals["requests"] == 1
    assert found.totals["texts"] == len(TEXTS)
    assert found.rates.requests_per_s > 0
    assert found.jobs == []
    text = appliance.render_metrics().decode()
    assert 'hmi_requests_total{outcome="ok",tenant="acme"} 1.0' in text
    kinds = [e.type for e in appliance.events.since(0)]
    assert {"engine", "span", "job", "epoch"} <= set(kinds)


def test_a_crowded_queue_is_a_problem_with_a_remedy(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = core_of(appliance).queue
    monkeypatch.setattr(queue, "size", lambda: (9, queue.limit_tokens))
    assert any("9 texts are waiting" in p.what for p in appliance.status().problems)


def test_a_restart_keeps_everything(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_domain(first, "films", "reviews")
        make_vplm(first, "acme/a", ["x", "y", "z"], domain="films")
        make_vplm(first, "acme/b", mode="exact", rank=9)
        first.change_vplm("acme/b", VplmPatch(pin=True))
        answers = {model: probs(first, model) for model in ("acme/a", "acme/b")}
        job = first.jobs(None, 1, None).data[0]
        domains = [
            d.model_copy(update=dict.fromkeys(SINCE_START, 0) | {"hit_rate": None})
            for d in first.domains().data
        ]
        counts = [first.tenants("", None, 9, None).total, len(first.models().data)]
    with opened(settings) as second:
        assert second.domains().data == domains
        assert [second.tenants("", None, 9, None).total, len(second.models().data)] == counts
        assert {model: probs(second, model) for model in answers} == answers
        assert second.vplm("acme/b").pinned
        assert core_of(second).tiers._pinned == {second.vplm("acme/b").adapter}
        assert second.job(job.id) == job


def test_debris_is_swept_at_the_start(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_vplm(first)
        expected = probs(first, "acme/a")
    paths = settings.paths
    debris = [
        paths.blobs / "ab" / f"{'ab' * 32}.safetensors",
        paths.blobs / "ab" / ".tmp-half",
        paths.tables / "reviews" / ".tmp-half" / "rows.npy",
        paths.corpora / ".tmp-half",
        paths.datasets / "acme" / "gone.0123.jsonl",
    ]
    for path in debris:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with opened(settings) as second:
        assert not [path for path in debris if path.exists()]
        assert probs(second, "acme/a") == expected


def test_a_rebuild_that_was_killed_does_not_show_for_ever(settings: Settings) -> None:
    with opened(settings) as first:
        make_domain(first, "reviews")
        for name in ("reviews", "general"):
            core_of(first).catalogue.domains.change(name, state="rebuilding")
    with opened(settings) as second:
        assert [d.state for d in second.domains().data] == ["empty", "ready"]


def test_a_damaged_table_is_mended_by_a_rebuild(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_vplm(first, domain="reviews")
        expected = probs(first, "acme/a")
    (settings.paths.tables / "reviews" / "000001" / "keys.npy").write_bytes(b"")
    with opened(settings) as second:
        assert second.domain("reviews").state == "damaged"
        job = second.rebuild_domain("reviews", RebuildRequest(alpha=0.9))
        assert ended(second, job.id).state == "succeeded"
        assert second.domain("reviews").state == "ready"
        assert probs(second, "acme/a") == expected


def test_without_an_encoder_for_the_backbone_exact_mode_still_serves(settings: Settings) -> None:
    with opened(replace(settings, encoder=None)) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        assert probs(appliance, "acme/a", mode="exact")
        with pytest.raises(Unavailable, match="no n-gram encoder") as error:
            probs(appliance, "acme/a")
        assert error.value.code == "no_encoder"
        assert "hmi domain rebuild general --train-minutes" in error.value.remedy


def test_what_cannot_be_opened_is_said_at_the_start(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing of the kind")
    cases = [
        (replace(settings, encoder=broken), "encoder_damaged"),
        (replace(settings, split=1), "encoder_mismatch"),
        (replace(settings, split=4), "bad_input"),
        (replace(settings, backbone=tmp_path), "backbone_missing"),
        (replace(settings, device="abacus"), "bad_device"),
    ]
    for wrong, code in cases:
        appliance = Appliance(wrong)
        with pytest.raises(HmiError) as error:
            appliance.start()
        assert error.value.code == code
        assert error.value.remedy
        assert not appliance.ready
    with opened(settings) as appliance:
        assert appliance.ready


def test_a_catalogue_of_a_newer_version_is_left_alone(settings: Settings) -> None:
    with opened(settings):
        pass
    with Database(settings.paths.catalogue) as db:
        db.table("_sqlite_migrations").insert(
            {"migration_set": "hmi", "name": "m999_later", "applied_at": "later"}
        )
    with pytest.raises(TooNew, match="m999_later"):
        Appliance(settings).start()
