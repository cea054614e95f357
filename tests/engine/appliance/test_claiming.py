"""A home from before backbones were told apart is taken over by the backbone whose it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.config import Settings
from store import sums
from tests.engine.appliance.small import (
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
)
from tests.store.earlier import SCHEMAS, age

M012 = next(schema for schema in SCHEMAS if schema.stem == "m012")


@pytest.fixture
def home(settings: Settings) -> Settings:
    """A domain with a table and traffic, closed."""
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        make_vplm(appliance, domain="reviews")
        probs(appliance, "acme/a")
    return settings


def put_back(settings: Settings) -> None:
    """Make of the home what the version before wrote of it."""
    with closing(sqlite3.connect(settings.paths.catalogue)) as db:
        for table in ("knowledge", "epochs"):
            db.execute(f"update {table} set backbone = ''")
        db.commit()
    age(settings.paths.catalogue, M012)
    for path in settings.paths.tables.glob("*/traffic-*.npz"):
        path.rename(path.with_name("traffic.npz"))


def test_what_a_domain_knew_and_was_asked_is_its_backbones(home: Settings) -> None:
    with opened(home) as now:
        before = now.domain("reviews")
        learnt = now.epochs("reviews").data
    put_back(home)
    with opened(home) as after:
        assert after.domain("reviews").model_dump() == before.model_dump()
        assert after.epochs("reviews").data == learnt
        assert before.recent_lookups > 0
        assert (before.epoch, before.state) == (1, "ready")
        catalogue, running = core_of(after).catalogue, core_of(after).stack.sha256
        assert [row.backbone for row in catalogue.domains.known()] == [running]


def test_a_table_of_another_backbone_stays_that_ones(home: Settings) -> None:
    put_back(home)
    (manifest,) = home.paths.tables.glob("reviews/*/manifest.json")
    say_another(manifest)
    with opened(home) as after:
        found = after.domain("reviews")
        assert (found.epoch, found.state, found.damage) == (0, "empty", None)
        (kept,) = core_of(after).catalogue.domains.known()
        assert (kept.backbone, kept.epoch) == ("5" * 64, 1)
        assert manifest.is_file()
        assert probs(after, "acme/a")


def say_another(manifest: Path) -> None:
    document = json.loads(manifest.read_text())
    document["meta"]["backbone_sha256"] = "5" * 64
    sums.write_whole(manifest, json.dumps(document).encode())
