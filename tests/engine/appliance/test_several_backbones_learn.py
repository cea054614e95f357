"""vPLMs and tables of backbones beside the engine's own learn from their own backbone alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.schema import RebuildRequest
from tests.engine.appliance.several import mixed, twin_checkpoint, wide_checkpoint
from tests.engine.appliance.small import (
    CORPUS,
    classify,
    core_of,
    ended,
    make_domain,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
)
from tests.engine.appliance.test_training_calls import ROWS, put_dataset, request
from tests.engine.appliance.trained import MINUTES, corpus

__all__ = ["mixed", "twin_checkpoint", "wide_checkpoint"]


LONG_S = 100.0
"""A training process is started for each backbone, on a machine that the tests keep busy."""


def right(appliance: Appliance, vplm: str) -> float:
    """The share of its training's rows that it answers as they say."""
    found = classify(appliance, vplm, [row["text"] for row in ROWS]).data
    return sum(a.label == row["label"] for a, row in zip(found, ROWS, strict=True)) / len(ROWS)


def site_of(appliance: Appliance) -> Path | None:
    assert appliance._trainings is not None
    return appliance._trainings.process.site.backbone


@pytest.mark.parametrize("name", ["wide", "twin"])
def test_a_vplm_of_another_backbone_is_trained_on_that(mixed: Appliance, name: str) -> None:
    made = make_vplm(mixed, f"acme/{name}", backbone=name, rank=8)
    make_vplm(mixed, "acme/own", rank=8, mode="exact")
    put_dataset(mixed, ROWS)
    choices = {"epochs": 14, "lr": 2e-2}
    job = ended(mixed, mixed.train(request(vplm=f"acme/{name}", **choices)).id, LONG_S)
    assert job.state == "succeeded", job.error
    assert site_of(mixed) == Path(mixed.backbone(name).folder)
    # What serves sees what the training process saw, or the answers would not be as learnt.
    assert right(mixed, f"acme/{name}") >= 0.8
    now = mixed.vplm(f"acme/{name}")
    assert (now.version, now.backbone_sha256) == (2, made.backbone_sha256)
    assert mixed.adapter(now.adapter).backbone_sha256 == made.backbone_sha256
    back = ended(mixed, mixed.train(request(vplm="acme/own", epochs=1)).id, LONG_S)
    assert back.state == "succeeded", back.error
    assert site_of(mixed) == core_of(mixed).backbone.checkpoint.folder


def test_a_domain_has_tables_and_encoders_for_each_backbone_apart(
    mixed: Appliance, settings: Settings
) -> None:
    make_domain(mixed, "reviews")
    make_vplm(mixed, "acme/own", domain="reviews")
    make_vplm(mixed, "acme/twin", domain="reviews", backbone="twin")
    own, tolerance = probs(mixed, "acme/own"), tolerance_of(mixed)
    assert classify(mixed, "acme/twin", "a good film").timing.fallback is not None
    mixed.put_corpus("general", iter([corpus()]))
    train = RebuildRequest(alpha=0.9, train_minutes=MINUTES, backbone="twin")
    job = ended(mixed, mixed.rebuild_domain("general", train).id, 60)
    assert job.state == "succeeded", job.error
    computed = classify(mixed, "acme/twin", "a good film")
    assert computed.timing.fallback is None
    before = probs(mixed, "acme/twin")
    mixed.put_corpus("reviews", iter([CORPUS]))
    job = ended(mixed, mixed.rebuild_domain("reviews", RebuildRequest(alpha=1, backbone="twin")).id)
    assert job.state == "succeeded", job.error
    looked_up = classify(mixed, "acme/twin", "a good film")
    assert (looked_up.timing.hit_rate or 0) > (computed.timing.hit_rate or 0)
    # A row that was looked up is the one that would have been computed, and by this backbone.
    assert same(probs(mixed, "acme/twin"), before, tolerance)
    assert same(probs(mixed, "acme/own"), own, tolerance)
    assert mixed.backbone("twin").domains == ["general", "reviews"]
    assert mixed.domain("reviews").epoch == 1
    mixed.close()
    with opened(settings) as again:
        assert same(probs(again, "acme/twin"), before, tolerance)
        assert same(probs(again, "acme/own"), own, tolerance)
        again.remove_vplm("acme/twin")
        again.remove_backbone("twin")
        known = core_of(again).catalogue.domains.known()
        # What was learnt for it goes with it; the own one's stays.
        assert {row.backbone for row in known} == {core_of(again).stack.sha256}
        assert same(probs(again, "acme/own"), own, tolerance)
