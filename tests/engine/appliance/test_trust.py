"""A home comes back from a backup as it was, and what changed on the disk answers nobody."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Paths, Settings
from engine.errors import HmiError
from engine.schema import KeyCreate
from store.archive import Archive
from store.backup import back_up
from store.errors import StoreError, TooNew
from store.fsck import check_home
from store.places import Places
from store.restore import restore
from tests.engine.appliance.small import (
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    small_settings,
)
from tests.store.earlier import SCHEMAS, age
from tests.store.homes import flip

Answers = dict[str, list[list[float]]]
MODELS = ("acme/general", "acme/reviews", "acme/films")


@dataclass(frozen=True)
class Made:
    settings: Settings
    answers: Answers


@pytest.fixture(scope="module")
def made(checkpoint: Path, encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """general over reviews over films, the two with tables; a vPLM in each of the three."""
    settings = small_settings(tmp_path_factory.mktemp("made"), checkpoint, encoder_file)
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        make_domain(appliance, "films", "reviews")
        for model in MODELS:
            make_vplm(appliance, model, domain=model.removeprefix("acme/"))
        # What they are asked is counted, and kept as traffic.
        return Made(settings, answers(appliance))


@pytest.fixture
def home(made: Made, tmp_path: Path) -> Settings:
    """A copy of it."""
    shutil.copytree(made.settings.paths.data, tmp_path / "home" / "data")
    return replace(made.settings, paths=Paths.find(tmp_path / "home"))


@pytest.fixture
def expected(made: Made) -> Answers:
    return made.answers


def answers(appliance: Appliance) -> Answers:
    return {model: probs(appliance, model) for model in MODELS}


def names(appliance: Appliance) -> list[dict[str, object]]:
    return [vplm.model_dump() for vplm in appliance.vplms("", None, None, 100, None).data]


def test_the_places_of_a_home_are_those_of_the_engine(tmp_path: Path) -> None:
    paths = Paths.find(tmp_path)
    places = Places(paths.data)
    for name in ("catalogue", "blobs", "tables", "backbones", "corpora", "datasets"):
        assert getattr(places, name) == getattr(paths, name)
    assert places.root / "training" == paths.training
    assert places.lock == paths.data / "engine.lock"


def test_a_restored_home_answers_identically(
    home: Settings, expected: Answers, tmp_path: Path
) -> None:
    with opened(home) as appliance:
        listed = names(appliance)
        gone = appliance.create_key("acme", KeyCreate())
        kept = appliance.rotate_key("acme").api_key
        own = appliance.create_key(None, KeyCreate(scopes=["infer"])).api_key
        assert back_up(Places(home.paths.data), tmp_path / "backup").faults == ()
    other = replace(home, paths=Paths.find(tmp_path / "other"))
    with Archive(tmp_path / "backup") as archive:
        restore(Places(other.paths.data), archive)
    with opened(other) as again:
        assert names(again) == listed
        assert answers(again) == expected
        # Keys open in the restored home what they did, and those that were ended do not.
        tenants, operators = again.caller(kept, "here"), again.caller(own, "here")
        assert tenants is not None
        assert operators is not None
        assert (tenants.tenant, operators.tenant) == ("acme", None)
        assert operators.scopes == {"infer"}
        assert again.caller(gone.api_key, "here") is None


def test_a_home_that_was_served_has_no_fault_while_it_is_served_and_after(home: Settings) -> None:
    places = Places(home.paths.data)
    with opened(home) as appliance:
        answers(appliance)
        assert check_home(places).faults == ()
    assert check_home(places).faults == ()


@pytest.mark.parametrize(
    "kind",
    [
        "catalogue.db",
        "blobs/*/*.safetensors",
        "tables/*/*/rows.npy",
        "tables/*/*/keys.npy",
        "tables/*/*/manifest.json",
        "tables/*/traffic-*.npz",
        "corpora/*.txt",
    ],
)
def test_what_has_changed_on_the_disk_is_found_and_never_served(
    home: Settings, expected: Answers, kind: str
) -> None:
    places = Places(home.paths.data)
    paths = sorted(places.root.glob(kind))
    assert paths
    for path in paths:
        flip(path, path.stat().st_size * 2 // 3, 5)
    found = {fault.name for fault in check_home(places).faults}
    assert found >= {places.name(path) for path in paths}
    heard = said(home)
    assert len(heard) == len(MODELS)
    for model, answer in heard.items():
        assert answer == expected[model] or any(str(path) in str(answer) for path in paths)


def said(home: Settings) -> dict[str, object]:
    """What each vPLM answers, or why it does not."""
    heard: dict[str, object] = {}
    try:
        with opened(home) as appliance:
            for model in MODELS:
                try:
                    heard[model] = probs(appliance, model)
                except (HmiError, StoreError) as refused:
                    heard[model] = refused.detail
    except StoreError as refused:
        # An engine that does not start answers nobody.
        heard = dict.fromkeys(MODELS, refused.detail)
    return heard


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_a_home_of_an_earlier_version_opens_and_answers_as_before(
    home: Settings, expected: Answers, schema: Path
) -> None:
    age(home.paths.catalogue, schema)
    with opened(home) as appliance:
        assert answers(appliance) == expected
        make_vplm(appliance, "acme/new", domain="films")
        assert probs(appliance, "acme/new")
    assert check_home(Places(home.paths.data)).faults == ()


def test_a_home_of_a_newer_version_is_refused_untouched(home: Settings) -> None:
    with sqlite3.connect(home.paths.catalogue) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) "
            "values ('hmi', 'm999_from_the_future', 'later')"
        )
    db.close()
    before = tree(home)
    with pytest.raises(TooNew, match="m999_from_the_future"):
        Appliance(home).start()
    assert tree(home) == before


def tree(home: Settings) -> dict[Path, bytes]:
    paths = sorted(home.paths.data.rglob("*"))
    return {path: path.read_bytes() for path in paths if path.is_file()}
