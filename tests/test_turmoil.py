"""Everything at once on an engine of its own; the long version is `tests.benchmarks.turmoil`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.client import Damaged, NotFound, Unavailable
from engine.config import DEFAULT_SPLIT
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.model.backbone import load_backbone
from tests.benchmarks.turmoil.__main__ import render
from tests.benchmarks.turmoil.book import Book, Known, Life, clock
from tests.benchmarks.turmoil.rest import Rest, growth
from tests.benchmarks.turmoil.run import Plan, run_turmoil
from tests.engine.conftest import write_checkpoint

GONE = NotFound('There is no vPLM "acme/a".')
SURE = 0.999


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def life(book: Book) -> Life:
    """Of acme/a, from 10 on; its creation had been asked for at 9. It answers "0-2"."""
    (life,) = book.begin(["acme/a"], Known("x", labels=4, answer=2))
    life.asked_for, life.there = 9.0, 10.0
    return life


def test_an_answer_is_right_if_its_vplm_had_the_label_at_some_moment_of_the_request(
    book: Book, life: Life
) -> None:
    life.leaving, life.gone = 20.0, 21.0
    for began, ended in ((8, 9.5), (12, 13), (20.5, 30), (1, 30)):
        assert book.fault_of_answer("acme/a", began, ended, "0-2", SURE) is None
    for began, ended in ((7, 8), (22, 23)):
        fault = book.fault_of_answer("acme/a", began, ended, "0-2", SURE)
        assert fault is not None
        assert "it was not there" in fault


def test_anothers_label_another_lifes_and_an_unsure_one_are_wrong(book: Book, life: Life) -> None:
    book.begin(["acme/a"], Known("y", labels=4, answer=1))
    (theirs,) = book.begin(["acme/b"], Known("z", labels=4, answer=2))
    for label in ("0-1", theirs.answer):
        fault = book.fault_of_answer("acme/a", 11, 12, label, SURE)
        assert fault is not None
        assert "it could have answered 0-2" in fault
    assert "probability 0.600" in str(book.fault_of_answer("acme/a", 11, 12, "0-2", 0.6))


def test_a_vplm_may_be_missing_only_where_it_may_have_been_away(book: Book, life: Life) -> None:
    life.leaving, life.gone = 20.0, 21.0
    for began, ended in ((1, 2), (9.5, 12), (19, 20.5), (30, 31)):
        assert book.fault_of_error("acme/a", began, ended, GONE) is None
    assert "failed with not_found" in str(book.fault_of_error("acme/a", 11, 12, GONE))
    other = NotFound("There is no adapter.")
    assert "no adapter" in str(book.fault_of_error("acme/a", 1, 2, other))


def test_only_who_has_the_damaged_file_may_say_so_and_only_from_then_on(
    book: Book, life: Life
) -> None:
    (theirs,) = book.begin(["acme/b"], Known("z", labels=4, answer=2))
    theirs.there = 10.0
    life.adapter.spoilt, life.adapter.error = 15.0, "damaged"
    error = Damaged("The adapter file does not match its checksum.")
    assert book.fault_of_error("acme/a", 14, 16, error) is None
    assert book.fault_of_answer("acme/a", 16, 17, "0-2", SURE) is None
    assert "failed with damaged" in str(book.fault_of_error("acme/a", 13, 14, error))
    assert "failed with damaged" in str(book.fault_of_error("acme/b", 16, 17, error))
    full = Unavailable("Every slot is in use.", code="arena_full")
    assert "failed with arena_full" in str(book.fault_of_error("acme/a", 16, 17, full))


def test_a_name_lives_again_with_labels_of_its_own(book: Book, life: Life) -> None:
    assert book.current("acme/a") is life
    life.leaving = clock()
    assert book.current("acme/a") is None
    life.gone = life.leaving
    (again,) = book.begin(["acme/a"], life.adapter)
    assert book.current("acme/a") is None
    again.there = again.asked_for
    assert book.alive() == [again]
    assert not set(life.labels) & set(again.labels)
    assert book.users(life.adapter) == 1


def test_what_is_not_flat_is_named() -> None:
    warm = Rest(at=10, descriptors=100, threads=40, resident=1 << 30)
    almost = replace(warm, descriptors=108, threads=44, resident=1060 << 20)
    assert growth(warm, almost, 32 << 20) == []
    grown = growth(warm, Rest(at=99, descriptors=109, threads=45, resident=1200 << 20), 32 << 20)
    assert [words.split()[0] for words in grown] == ["descriptors", "threads", "resident"]


@pytest.mark.slow
def test_in_a_short_turmoil_nobody_gets_a_wrong_answer_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    checkpoint = write_checkpoint(tmp_path, layers=6)
    backbone = load_backbone(checkpoint, split=DEFAULT_SPLIT)
    encoder = tmp_path / "encoder.safetensors"
    save_hplm(Hplm.untrained(backbone), encoder, {})
    model = ("--backbone", str(checkpoint), "--encoder", str(encoder), "--device", "cpu")
    plan = Plan(
        minutes=8 / 60,
        tenants=6,
        each=5,
        askers=6,
        device_cache=400_000,
        host_cache=60_000,
        # It has not warmed up after three seconds; whether memory is flat, the long one tells.
        least_more_memory=96 << 20,
        serve=(*model, "--threads", "1"),
        checkpoint=checkpoint,
    )
    outcome = run_turmoil(plan, print)
    tally = outcome.tally
    assert tally.faults == []
    assert (tally.wrong, tally.more_faults) == (0, 0)
    assert tally.answers > 100
    assert tally.cancelled > 0
    assert {"damaged", "adapter_missing", "not_found"} >= set(tally.errors) >= {"not_found"}
    assert outcome.status.tiers["device"].evictions > 50
    acts = {"ask", "bulk", "create", "delete", "hang up", "look", "move", "pin", "rebuild"}
    assert acts | {"replace", "spoil"} <= set(tally.seconds)
    told = render(outcome)
    assert "0 wrong" in told
    assert told.endswith("none")
