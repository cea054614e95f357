"""Every draw against a reference that is slow and obvious: one row, lists, loops."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.serving.generation.chance import _mixed, seed_of, uniform
from engine.serving.generation.sampling import (
    Drawing,
    Drawn,
    adjusted,
    draw,
    probabilities,
    unusable,
)
from engine.serving.generation.settings import SamplingSettings

SIZE = 12
tokens_of = st.lists(st.integers(0, SIZE - 1), max_size=8)
rows_of = st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=SIZE, max_size=SIZE)
settings_of = st.builds(
    SamplingSettings,
    seed=st.integers(0, 2**63 - 1),
    temperature=st.sampled_from([0.0, 0.25, 0.7, 1.0, 2.0]),
    top_k=st.integers(0, SIZE + 2),
    top_p=st.sampled_from([0.05, 0.3, 0.61, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.03, 0.2, 1.0]),
    repetition=st.sampled_from([0.5, 1.0, 1.3, 4.0]),
    frequency=st.sampled_from([-2.0, 0.0, 0.4, 2.0]),
    presence=st.sampled_from([-1.0, 0.0, 0.7]),
    bias=st.lists(
        st.tuples(st.integers(0, SIZE - 1), st.sampled_from([-100.0, -1.5, 3.0])), max_size=3
    ).map(tuple),
    logprobs=st.sampled_from([None, 0, 1, 5, 20]),
)
drawings_of = st.builds(Drawing, settings_of, prompt=tokens_of, said=tokens_of)


def obvious_logits(row: list[float], one: Drawing) -> list[float]:
    s, out = one.settings, list(row)
    for token, gain in s.bias:
        out[token] += gain
    for token in range(len(out)):
        if token in one.prompt or token in one.said:
            out[token] = out[token] / s.repetition if out[token] > 0 else out[token] * s.repetition
        count = list(one.said).count(token)
        out[token] -= s.frequency * count + (s.presence if count else 0.0)
    return out


def obvious_probabilities(row: list[float], s: SamplingSettings) -> list[float]:
    def normal(weights: dict[int, float]) -> dict[int, float]:
        total = sum(weights.values())
        return {token: weight / total for token, weight in weights.items()}

    peak = max(row)
    left = normal({t: math.exp((x - peak) / s.temperature) for t, x in enumerate(row)})
    if s.top_k:
        last = sorted(left.values(), reverse=True)[min(s.top_k, len(left)) - 1]
        left = normal({t: p for t, p in left.items() if p >= last})
    if s.top_p < 1:
        share, last = 0.0, 0.0
        for p in sorted(left.values(), reverse=True):
            # What lies on the border is decided by rounding, on which nothing depends.
            assume(abs(share - s.top_p) > 1e-5)
            if share < s.top_p:
                last = p
            share += p
        left = normal({t: p for t, p in left.items() if p >= last * (1 - 1e-9)})
    highest = max(left.values())
    for p in left.values():
        assume(p == highest or abs(p / highest - s.min_p) > 1e-5)
    left = normal({t: p for t, p in left.items() if p >= s.min_p * highest * (1 - 1e-9)})
    return [left.get(t, 0.0) for t in range(len(row))]


@pytest.mark.parametrize(
    "one",
    [
        SamplingSettings(seed=0, repetition=1.3),
        SamplingSettings(seed=0, repetition=0.6, bias=((3, -100.0), (200, 2.5))),
        SamplingSettings(seed=0, temperature=0.3),
        SamplingSettings(seed=0, top_k=40),
        SamplingSettings(seed=0, top_p=0.8),
        SamplingSettings(seed=0, min_p=0.05),
        SamplingSettings(seed=0, temperature=1.7, top_k=100, top_p=0.9, min_p=0.02, repetition=1.1),
    ],
)
def test_what_transformers_has_too_it_does_alike(one: SamplingSettings) -> None:
    processors: Any = importlib.import_module("transformers.generation.logits_process")
    chain = [
        processors.SequenceBiasLogitsProcessor({(t,): gain for t, gain in one.bias} or {(0,): 0.0}),
        processors.RepetitionPenaltyLogitsProcessor(penalty=one.repetition),
        processors.TemperatureLogitsWarper(one.temperature),
        *([processors.TopKLogitsWarper(one.top_k)] if one.top_k else []),
        processors.TopPLogitsWarper(one.top_p),
        processors.MinPLogitsWarper(one.min_p),
    ]
    logits = 3 * torch.randn(4, 500, generator=torch.Generator().manual_seed(1))
    prompt, said = [5, 6, 7, 6], [200, 3, 200, 499]
    wanted = logits.clone()
    for each in chain:
        wanted = each(torch.tensor([prompt + said] * 4), wanted)
    drawings = [Drawing(one, prompt, said)] * 4
    found = probabilities(adjusted(logits, drawings), drawings)
    torch.testing.assert_close(found, wanted.softmax(-1), rtol=1e-4, atol=1e-7)
    assert torch.equal(found > 0, wanted.softmax(-1) > 0)


@settings(deadline=None)
@given(st.lists(st.tuples(rows_of, drawings_of), min_size=1, max_size=4))
def test_bias_and_penalties_are_what_they_are_said_to_be(batch: list[Any]) -> None:
    rows, drawings = zip(*batch, strict=True)
    logits = torch.tensor(rows)
    kept = logits.clone()
    found = adjusted(logits, drawings)
    wanted = [obvious_logits(row, one) for row, one in batch]
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-5, atol=1e-4)
    assert torch.equal(logits, kept)


@settings(deadline=None)
@given(st.lists(st.tuples(rows_of, drawings_of), min_size=1, max_size=4))
def test_what_is_drawn_from_is_what_the_filters_leave(batch: list[Any]) -> None:
    batch = [(row, one) for row, one in batch if not one.settings.greedy]
    assume(batch)
    rows, drawings = zip(*batch, strict=True)
    wanted = [obvious_probabilities(row, one.settings) for row, one in batch]
    found = probabilities(torch.tensor(rows), drawings)
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-4, atol=1e-6)
    assert ((found > 0) == (torch.tensor(wanted) > 0)).all()


@settings(deadline=None)
@given(st.lists(st.tuples(rows_of, drawings_of), min_size=1, max_size=4), st.integers(1, SIZE))
def test_how_many_are_ranked_at_first_changes_nothing(batch: list[Any], ranked: int) -> None:
    batch = [(row, one) for row, one in batch if not one.settings.greedy]
    assume(batch)
    rows, drawings = zip(*batch, strict=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.serving.generation.sampling._RANKED", ranked)
        found = probabilities(torch.tensor(rows), drawings)
    assert torch.equal(found > 0, probabilities(torch.tensor(rows), drawings) > 0)


@settings(deadline=None)
@given(rows_of, drawings_of)
def test_a_draw_is_the_place_in_the_sum_that_its_number_names(
    row: list[float], one: Drawing
) -> None:
    (found,) = draw(torch.tensor([row]), [one])
    changed = obvious_logits(row, one)
    if one.settings.greedy:
        assert changed[found.token] == pytest.approx(max(changed))
        return
    number = uniform(one.settings.seed, len(one.said))
    share = 0.0
    for token, p in enumerate(obvious_probabilities(changed, one.settings)):
        share += p
        assume(abs(share - number) > 1e-5)
        if number < share:
            assert found.token == token
            return


@settings(deadline=None)
@given(st.lists(st.tuples(rows_of, drawings_of), min_size=2, max_size=6), st.randoms())
def test_batch_mates_change_nothing(batch: list[Any], order: Any) -> None:
    alone = [draw(torch.tensor([row]), [one])[0] for row, one in batch]
    places = list(range(len(batch)))
    order.shuffle(places)
    logits = torch.tensor([batch[i][0] for i in places])
    together = draw(logits, [batch[i][1] for i in places])
    assert [together[places.index(i)] for i in range(len(batch))] == alone


@settings(deadline=None)
@given(rows_of, drawings_of)
def test_log_probabilities_are_the_models_own(row: list[float], one: Drawing) -> None:
    (found,) = draw(torch.tensor([row]), [one])
    total = math.log(sum(math.exp(x) for x in row))
    count = one.settings.logprobs
    if count is None:
        assert found == Drawn(found.token)
        return
    assert found.logprob == pytest.approx(row[found.token] - total, abs=1e-5)
    ranked = sorted(range(SIZE), key=lambda token: (-row[token], token))[:count]
    assert [token for token, _ in found.top] == ranked
    for token, logprob in found.top:
        assert logprob == pytest.approx(row[token] - total, abs=1e-5)


def test_draws_come_as_often_as_they_are_likely() -> None:
    row = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()
    drawings = [Drawing(SamplingSettings(seed), said=[0] * 7) for seed in range(4000)]
    times = Counter(one.token for one in draw(row.repeat(4000, 1), drawings))
    for token, share in enumerate((0.5, 0.25, 0.15, 0.1)):
        # Five standard deviations.
        assert abs(times[token] / 4000 - share) < 5 * math.sqrt(share * (1 - share) / 4000)


def test_places_of_one_seed_are_as_independent_as_seeds() -> None:
    numbers = [uniform(11, place) for place in range(4000)]
    assert abs(sum(numbers) / 4000 - 0.5) < 5 / math.sqrt(12 * 4000)
    pairs = list(pairwise(numbers))
    drift = sum((a - 0.5) * (b - 0.5) for a, b in pairs) / len(pairs)
    assert abs(drift) < 5 / (12 * math.sqrt(4000))
    assert all(0 <= number < 1 for number in numbers)


@settings(deadline=None)
@given(st.integers(-(2**70), 2**70), st.integers(0, 64), st.integers(0, 10**6))
def test_any_seed_gives_a_number_and_several_texts_have_seeds_of_their_own(
    seed: int, index: int, place: int
) -> None:
    assert 0 <= uniform(seed, place) < 1
    assert seed_of(seed, 0) == seed
    assert index == 0 or seed_of(seed, index) not in {seed, seed_of(seed, index + 1)}


def test_the_generator_is_splitmix64() -> None:
    # The first outputs of the published algorithm from state 1234567.
    golden, state = 0x9E3779B97F4A7C15, 1234567
    assert [_mixed(state + i * golden) for i in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@settings(max_examples=40, deadline=None)
@given(rows_of, st.sampled_from([5e-324, 1e-30, 1e-6, 0.01]))
def test_the_lowest_temperature_takes_the_likeliest(row: list[float], heat: float) -> None:
    assume(max(row) - sorted(row)[-2] > 0.1)
    (found,) = draw(torch.tensor([row]), [Drawing(SamplingSettings(3, temperature=heat))])
    assert found.token == row.index(max(row))


def test_a_number_that_rounds_to_the_whole_still_draws_a_possible_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.serving.generation.sampling.uniform", lambda *_: 1.0)
    row = torch.tensor([[1.0, 2.0, 1.5, -torch.inf, -torch.inf]])
    assert draw(row, [Drawing(SamplingSettings(0))])[0].token == 2


def test_rows_that_nothing_can_be_drawn_from_are_named() -> None:
    good, inf, nan = 1.0, torch.inf, torch.nan
    rows = [[good, -inf], [nan, good], [-inf, -inf], [inf, good], [good, good]]
    assert unusable(torch.tensor(rows)) == [1, 2, 3]


GOOD = SamplingSettings(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": -0.1}, "temperature is -0.1; it must be at least 0 and at most 2"),
        ({"temperature": 2.5}, "at most 2"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0; it must be above 0"),
        ({"top_p": 1.01}, "at most 1"),
        ({"min_p": -1.0}, "min_p"),
        ({"repetition": 0.0}, "repetition_penalty is 0.0; it must be at least 0.01"),
        ({"frequency": 2.1}, "frequency_penalty"),
        ({"presence": -2.1}, "presence_penalty"),
        ({"logprobs": 21}, "logprobs is 21; it must be at least 0 and at most 20"),
        ({"bias": ((3, 101.0),)}, "logit_bias of token 3 is 101.0"),
        ({"bias": ((-1, 1.0),)}, "a token in logit_bias is -1"),
    ],
)
def test_values_out_of_range_are_named_with_their_range(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as error:
        replace(GOOD, **change)
    assert said in error.value.detail
    assert error.value.code == "out_of_range"
    assert error.value.remedy


def test_a_biased_token_must_be_one_of_the_models() -> None:
    biased = replace(GOOD, bias=((9, 1.0),))
    biased.check_vocabulary(10)
    with pytest.raises(BadInput, match="this model has tokens 0 to 8"):
        biased.check_vocabulary(9)
