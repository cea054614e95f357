"""Answers depend on nothing but the text, the vPLM and its mode.

Tolerance (tests.engine.appliance.small.TOLERANCE): probabilities agree to 1e-5 in float32, to 3e-2
in bfloat16, because a product over other batch mates may round differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import Damaged, Unavailable
from engine.schema import VplmPatch
from engine.serving.work import Mode
from store.errors import Damaged as DamagedInStore
from tests.engine.appliance.small import (
    TEXTS,
    Ask,
    classify,
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    small_settings,
    tickets,
    together,
    tolerance_of,
)

SIZES = {"acme/two": 2, "acme/four": 4, "acme/six": 6, "acme/many": 70}
DOMAINS = {
    "acme/two": "general",
    "acme/four": "reviews",
    "acme/six": "films",
    "acme/many": "reviews",
}
ALL: list[Ask] = [
    (model, mode, TEXTS[i % 2 :]) for i, model in enumerate(SIZES) for mode in ("plot", "exact")
]
Expected = dict[tuple[str, Mode], list[list[float]]]


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, encoder_file: Path
) -> Settings:
    """Four vPLMs with heads of different sizes in a tree of three domains."""
    settings = small_settings(tmp_path_factory.mktemp("home"), checkpoint, encoder_file)
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        make_domain(appliance, "films", "reviews")
        for model, size in SIZES.items():
            labels = [f"l{i}" for i in range(size)]
            make_vplm(appliance, model, labels, domain=DOMAINS[model], rank=size % 7 + 1)
    return settings


@pytest.fixture(scope="module")
def many_slots(home: Settings) -> Iterator[Appliance]:
    with opened(home) as appliance:
        yield appliance


@pytest.fixture(scope="module")
def alone(many_slots: Appliance) -> Expected:
    """Each text asked alone."""
    return {
        (model, mode): [probs(many_slots, model, [text], mode)[0] for text in texts]
        for model, mode, texts in ALL
    }


def check(appliance: Appliance, alone: Expected, asks: list[Ask]) -> list[int]:
    """Ask all at once; the answers must be those of asking alone. Batch sizes come back."""
    got = together(appliance, asks)
    for (model, mode, texts), outcomes in zip(asks, got, strict=True):
        expected = alone[model, mode][-len(texts) :]
        assert same([o.values for o in outcomes], expected, tolerance_of(appliance)), (model, mode)
    return [o.batch_size for outcomes in got for o in outcomes]


def test_an_answer_does_not_depend_on_batch_mates(many_slots: Appliance, alone: Expected) -> None:
    sizes = check(many_slots, alone, ALL)
    assert min(sizes) > 1


def test_exact_and_plot_share_a_batch(many_slots: Appliance, alone: Expected) -> None:
    asks: list[Ask] = [("acme/four", "exact", TEXTS), ("acme/four", "plot", TEXTS)]
    outcomes = together(many_slots, [(model, mode, texts[1:]) for model, mode, texts in asks])
    assert {o.batch_size for row in outcomes for o in row} == {2 * (len(TEXTS) - 1)}
    check(many_slots, alone, [(model, mode, texts[1:]) for model, mode, texts in asks])
    assert not same(
        [o.values for o in outcomes[0]], [o.values for o in outcomes[1]], tolerance_of(many_slots)
    )


def test_three_vplms_with_heads_of_different_sizes_equal_each_alone(
    many_slots: Appliance, alone: Expected
) -> None:
    asks: list[Ask] = [
        (model, "plot", TEXTS[1:]) for model in ("acme/two", "acme/four", "acme/six")
    ]
    check(many_slots, alone, asks)
    (four,) = together(many_slots, asks[1:2])
    assert all(len(o.values) == 4 and sum(o.values) == pytest.approx(1) for o in four)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_an_answer_does_not_depend_on_the_slot_or_on_swapping(
    home: Settings, many_slots: Appliance, alone: Expected, slots: int
) -> None:
    one = core_of(many_slots).tiers.arena.slot_bytes
    few = replace(home, device_cache=slots * one, host_cache=100_000)
    with opened(few) as appliance:
        assert core_of(appliance).tiers.arena.slots == slots
        for _ in range(2):
            check(appliance, alone, ALL)
            check(appliance, alone, list(reversed(ALL)))
        if slots < len(SIZES):
            assert core_of(appliance).tiers.use()["device"].counters.evictions > 0


def test_a_pinned_vplm_leaves_the_others_the_other_slots_in_turn(
    home: Settings, many_slots: Appliance, alone: Expected
) -> None:
    two = replace(home, device_cache=2 * core_of(many_slots).tiers.arena.slot_bytes)
    with opened(two) as appliance:
        appliance.change_vplm("acme/two", VplmPatch(pin=True))
        probs(appliance, "acme/two")
        check(appliance, alone, [a for a in ALL if a[0] != "acme/two"])
        assert appliance.vplm("acme/two").tier == "device"
        appliance.change_vplm("acme/two", VplmPatch(pin=False))


def test_when_every_slot_is_pinned_the_others_are_refused_with_the_way_out(
    home: Settings,
) -> None:
    with opened(replace(home, device_cache=1)) as appliance:
        appliance.change_vplm("acme/two", VplmPatch(pin=True))
        probs(appliance, "acme/two")
        with pytest.raises(Unavailable) as refused:
            classify(appliance, "acme/six", "a good film")
        assert refused.value.code == "arena_full"
        assert "--device-cache" in refused.value.remedy
        appliance.change_vplm("acme/two", VplmPatch(pin=False))
        assert len(probs(appliance, "acme/six", ["a good film"])[0]) == 6


def test_heads_too_large_for_one_batch_are_served_in_several(
    home: Settings, many_slots: Appliance
) -> None:
    labels = [f"l{i}" for i in range(1500)]
    ids = [f"acme/huge{i}" for i in range(4)]
    few = replace(home, device_cache=4 * core_of(many_slots).tiers.arena.slot_bytes)
    with opened(few) as appliance:
        for model in ids:
            make_vplm(appliance, model, labels)
        expected = {model: probs(appliance, model, ["a good film"])[0] for model in ids}
        before = _looked_up(appliance)
        got = together(appliance, [(model, "plot", ["a good film"]) for model in ids])
        tokens = sum(outcome.tokens for (outcome,) in got)
        assert _looked_up(appliance) - before == tokens, "each token is looked up once"
        for model, (outcome,) in zip(ids, got, strict=True):
            assert same([outcome.values], [expected[model]], tolerance_of(appliance))
        for model in ids:
            appliance.remove_vplm(model)


def _looked_up(appliance: Appliance) -> int:
    """Tokens of the root domain that were looked up since the start."""
    traffic = core_of(appliance).tree.traffic["general"]
    return traffic.hits + traffic.computed + traffic.backed_off + traffic.cached


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_a_lost_adapter_fails_its_own_request_only_and_the_base_model_never_answers(
    home: Settings, alone: Expected, harm: str
) -> None:
    with opened(home) as appliance:
        vplm = make_vplm(appliance, "acme/lost", ["no", "yes"])
        path = appliance.adapter_file(vplm.adapter)
        if harm == "deleted":
            path.unlink()
        else:
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
        asks: list[Ask] = [("acme/lost", "plot", TEXTS), *ALL]
        lost, *others = tickets(appliance, asks)
        kind = Damaged if harm == "deleted" else DamagedInStore
        with pytest.raises(kind, match=vplm.adapter):
            lost.future.result(20)
        for (model, mode, _), ticket in zip(ALL, others, strict=True):
            answers = [o.values for o in ticket.future.result(20)]
            assert same(answers, alone[model, mode], tolerance_of(appliance))
        with pytest.raises(kind):
            classify(appliance, "acme/lost", "a good film", "exact")
        appliance.remove_vplm("acme/lost")


def test_a_damaged_table_answers_503_for_plot_and_exact_goes_on(
    home: Settings, alone: Expected
) -> None:
    rows = max((home.paths.tables / "reviews").glob("*/rows.npy"))
    whole = rows.read_bytes()
    rows.write_bytes(whole[:-10])
    try:
        with opened(home) as appliance:
            asks: list[Ask] = [
                ("acme/four", "plot", TEXTS),
                ("acme/six", "plot", TEXTS),
                *((model, "exact", texts) for model, mode, texts in ALL if mode == "exact"),
                ("acme/two", "plot", TEXTS),
            ]
            own, below, *others = tickets(appliance, asks)
            for ticket in (own, below):
                with pytest.raises(Unavailable) as refused:
                    ticket.future.result(20)
                assert refused.value.code == "table_damaged"
                assert "hmi domain rebuild reviews" in refused.value.remedy
            for (model, mode, texts), ticket in zip(asks[2:], others, strict=True):
                answers = [o.values for o in ticket.future.result(20)]
                expected = alone[model, mode][-len(texts) :]
                assert same(answers, expected, tolerance_of(appliance))
            states = {d.name: d.state for d in appliance.domains().data}
            assert states == {"general": "empty", "reviews": "damaged", "films": "damaged"}
            assert any("reviews" in p.what for p in appliance.status().problems)
    finally:
        rows.write_bytes(whole)


def test_an_adapter_that_does_not_fit_this_engine_is_refused_by_name(
    home: Settings, checkpoint: Path, tmp_path: Path
) -> None:
    elsewhere = replace(home, split=1, encoder=None)
    with opened(elsewhere) as appliance, pytest.raises(Damaged) as refused:
        classify(appliance, "acme/two", "a good film", "exact")
    assert refused.value.code == "adapter_mismatch"


def test_texts_that_fill_several_batches_are_answered_in_order(
    home: Settings, many_slots: Appliance, alone: Expected
) -> None:
    with opened(replace(home, batch_tokens=20)) as appliance:
        got = classify(appliance, "acme/six", list(TEXTS) * 20, "plot")
        assert [row.index for row in got.data] == list(range(100))
        once = [row.probs for row in got.data[: len(TEXTS)]]
        for start in range(0, 100, len(TEXTS)):
            again = [row.probs for row in got.data[start : start + len(TEXTS)]]
            assert same(again, once, tolerance_of(appliance))
        assert got.timing.batch_size < 100
