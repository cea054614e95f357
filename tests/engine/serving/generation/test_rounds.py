"""Sequences come and go in one batch; nobody's text hears of another's, and nothing is left."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import BadInput, HmiError, QueueFull, Unavailable
from engine.knowledge.generation import look_up
from engine.knowledge.hplm import Hplm
from engine.model.decoder import Decoder
from engine.serving.generation.order import Order, Way
from engine.serving.generation.settings import SamplingSettings
from tests.engine.serving.generation.singing import (
    EXACT,
    Choir,
    Ear,
    alone,
    knowledge_of,
    order_of,
)

quick = settings(
    deadline=None,
    derandomize=True,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def plot(decoder_hplm: Hplm) -> Way:
    return Way(knowledge_of(decoder_hplm))


def test_greedy_in_exact_mode_is_what_transformers_generates(
    decoder: Decoder, decoder_checkpoint: Path
) -> None:
    transformers: Any = importlib.import_module("transformers")
    model = transformers.GPT2LMHeadModel.from_pretrained(decoder_checkpoint).eval()
    choir = Choir(decoder)
    prompts = [[5, 6, 7], list(range(20, 39)), [9], [40, 41, 42, 43]]
    asked = [order_of(decoder, prompt, 12, end=decoder.end) for prompt in prompts]
    choir.offer(*(order for order, _ in asked))
    choir.sing()
    for prompt, (_, ear) in zip(prompts, asked, strict=True):
        wanted = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=decoder.end,
        )
        assert ear.tokens == wanted[0, len(prompt) :].tolist()


texts = st.lists(
    st.tuples(
        st.lists(st.integers(0, 255), min_size=1, max_size=24),
        st.integers(1, 6),
        st.sampled_from(["acme", "globex"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.booleans(),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=5,
)


@quick
@given(texts, st.integers(1, 40), st.integers(10, 60))
def test_a_seed_gives_the_same_text_whatever_the_batch(
    decoder: Decoder, plot: Way, crowd: list[Any], budget: int, pages: int
) -> None:
    def asked() -> list[tuple[Order, Ear]]:
        return [
            order_of(
                decoder,
                prompt,
                most,
                tenant=tenant,
                adapter=adapter,
                way=plot if tabled else EXACT,
                sampling=SamplingSettings(seed=seed, temperature=0.9, top_p=0.95, presence=0.5),
            )
            for prompt, most, tenant, adapter, tabled, seed in crowd
        ]

    together = asked()
    choir = Choir(decoder, pages=pages, budget=budget)
    choir.offer(*(order for order, _ in together))
    choir.sing()
    choir.check_nothing_is_held()
    single = Choir(decoder, slots=5, pages=200, budget=64)
    for (_, found), (order, ear) in zip(together, asked(), strict=True):
        alone(single, order, ear)
        assert (found.text, found.tokens, found.finish) == (ear.text, ear.tokens, ear.finish)
        assert found.finish == "length"
        assert len(found.tokens) == order.ending.most


actions = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.lists(st.integers(0, 255), min_size=1, max_size=30),
            st.integers(1, 12),
            st.sampled_from([None, "a", "b", "c", "d", "lost"]),
        ),
        st.tuples(st.just("give up"), st.integers(0, 20)),
        st.tuples(st.just("step"), st.integers(1, 5)),
    ),
    max_size=30,
)


@quick
@given(actions, st.integers(1, 3), st.integers(12, 40))
def test_whatever_happens_every_accepted_text_ends_and_nothing_is_left(
    decoder: Decoder, deeds: list[Any], slots: int, pages: int
) -> None:
    choir = Choir(decoder, slots=slots, pages=pages)
    asked: list[tuple[Order, Ear]] = []
    gone: list[Ear] = []
    for deed in deeds:
        if deed[0] == "ask":
            _, prompt, most, adapter = deed
            asked.append(order_of(decoder, prompt, most, adapter=adapter))
            choir.offer(asked[-1][0])
        elif deed[0] == "step":
            for _ in range(deed[1]):
                choir.rounds.step()
        elif deed[1] < len(asked):
            order, ear = asked[deed[1]]
            choir.give_up(order)
            gone.append(ear)
    choir.sing()
    choir.check_nothing_is_held()
    for order, ear in asked:
        if ear in gone:
            continue
        assert ear.over
        # "lost" cannot be read, and some texts are too long for a small cache: they hear of it.
        too_long = choir.pool.need(4, order.tokens) > choir.pool.pages
        assert (ear.error is not None) == (order.adapter == "lost" or too_long)


def test_given_up_in_the_middle_its_pages_slot_and_place_are_free_after_the_round(
    decoder: Decoder,
) -> None:
    choir = Choir(decoder, slots=1, pages=8)
    long, deaf = order_of(decoder, [1, 2, 3], 20, adapter="a")
    other, ear = order_of(decoder, [4, 5], 20, adapter="b")
    choir.offer(long)
    choir.sing_until(lambda: len(deaf.tokens) >= 2)
    choir.offer(other)
    choir.rounds.step()
    assert not ear.tokens, "there is one slot"
    choir.give_up(long)
    heard = list(deaf.tokens)
    choir.sing()
    assert deaf.tokens == heard
    assert len(ear.tokens) == 20
    choir.check_nothing_is_held()


def test_a_prompt_runs_in_chunks_beside_a_text_that_goes_on(decoder: Decoder) -> None:
    choir = Choir(decoder, budget=8, pages=100)
    going, ear = order_of(decoder, [1, 2, 3], 20)
    choir.offer(going)
    choir.rounds.step()
    assert len(ear.tokens) == 1
    late, _ = order_of(decoder, list(range(30)), 4, tenant="globex")
    choir.offer(late)
    for said in range(2, 6):
        choir.rounds.step()
        assert len(ear.tokens) == said
        assert choir.records[-1].decode == 1
        assert choir.records[-1].prefill == 7


def test_each_tenant_gets_its_share_of_tokens_whoever_floods(decoder: Decoder) -> None:
    choir = Choir(decoder, budget=16, pages=400, weights={"acme": 1.0, "globex": 3.0})
    flood = [order_of(decoder, list(range(40)), 2, tenant="acme") for _ in range(12)]
    few = [order_of(decoder, list(range(40)), 2, tenant="globex") for _ in range(3)]
    choir.offer(*(order for order, _ in flood))
    choir.offer(*(order for order, _ in few))
    choir.sing_until(lambda: all(ear.over for _, ear in few))
    # The flood came first; while 3 x 41 tokens of the heavier ran, it had a third as many.
    through = sum(ear.over for _, ear in flood)
    assert through <= 2
    choir.sing()
    choir.check_nothing_is_held()


def test_a_full_cache_lets_texts_wait_in_order_and_a_large_one_is_not_passed_over(
    decoder: Decoder,
) -> None:
    choir = Choir(decoder, pages=12)
    ended: list[str] = []
    asked = {
        name: order_of(decoder, [1] * size, 4)
        for name, size in (("first", 20), ("large", 40), ("small", 2))
    }
    for order, _ in asked.values():
        choir.offer(order)
    while len(ended) < 3:
        choir.rounds.step()
        ended += [name for name, (_, ear) in asked.items() if ear.over and name not in ended]
    assert ended == ["first", "large", "small"]
    choir.check_nothing_is_held()


def test_what_waits_is_bounded_and_says_when_to_come_again(decoder: Decoder) -> None:
    choir = Choir(decoder, limit=30)
    choir.offer(order_of(decoder, [1] * 16, 4)[0])
    order, _ = order_of(decoder, [1] * 16, 4)
    with pytest.raises(QueueFull) as caught:
        choir.lobby.enter([order], 5.0)
    assert caught.value.retry_after == 2
    assert (len(choir.lobby), choir.lobby.tokens) == (1, 20)
    # Another tenant has a share of its own.
    choir.lobby.enter([order_of(decoder, [1] * 8, 4, tenant="globex")[0]], 5.0)
    choir.sing()
    choir.check_nothing_is_held()


def test_a_text_that_can_never_run_is_refused_and_the_others_go_on(decoder: Decoder) -> None:
    def no_domain() -> Way:
        raise Unavailable("The tables are damaged.", code="table_damaged")

    choir = Choir(decoder, pages=8)
    large, too_large = order_of(decoder, [1] * 40, 4)
    lost, unread = order_of(decoder, [1, 2], 4, adapter="lost")
    damaged, refused = order_of(decoder, [1, 2], 4, way=no_domain)
    good, ear = order_of(decoder, [1, 2], 4)
    choir.offer(large, lost, damaged, good)
    choir.sing()
    assert isinstance(too_large.error, BadInput)
    assert too_large.error.code == "cache_too_small"
    assert isinstance(unread.error, OSError)
    assert isinstance(refused.error, HmiError)
    assert refused.error.code == "table_damaged"
    assert len(ear.tokens) == 4
    choir.check_nothing_is_held()


def test_an_error_in_a_round_ends_the_one_text_that_caused_it(
    decoder: Decoder, plot: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    choir = Choir(decoder)
    asked = [order_of(decoder, [i, 2, 3], 4, way=plot) for i in range(5)]

    def looking_up(turns: Any, miss: Any) -> Any:
        if any(turn.sequence.ids[0] == 3 for turn in turns):
            raise RuntimeError("a bad row")
        return look_up(turns, miss)

    monkeypatch.setattr("engine.serving.generation.rounds.look_up", looking_up)
    choir.offer(*(order for order, _ in asked))
    choir.sing()
    assert [ear.error is None for _, ear in asked] == [True, True, True, False, True]
    single = Choir(decoder)
    order, ear = order_of(decoder, [4, 2, 3], 4, way=plot)
    assert alone(single, order, ear).tokens == asked[4][1].tokens
    choir.check_nothing_is_held()


def test_logits_that_are_no_numbers_end_only_their_own_text(decoder: Decoder) -> None:
    choir = Choir(decoder)
    sick, ill = order_of(decoder, [1, 2], 4, adapter="a")
    well, ear = order_of(decoder, [1, 2], 4, adapter="b")
    choir.tiers.ensure_resident(["a", "b"])
    choir.tiers.release(["a", "b"])
    choir.offer(sick, well)
    choir.rounds.step()
    assert len(ear.tokens) == len(ill.tokens) == 1
    slot = next(at for at, use in choir.tiers.slots(1, 3).items() if use.adapter == "a")
    choir.tiers.arena.weights.up_bias[:, slot] = float("nan")
    choir.sing()
    assert isinstance(ill.error, HmiError)
    assert ill.error.code == "no_number"
    assert (ear.finish, len(ear.tokens)) == ("length", 4)
    choir.check_nothing_is_held()


def test_a_stop_string_and_the_end_of_the_text_end_it_and_say_so(decoder: Decoder) -> None:
    choir = Choir(decoder)
    order, whole = order_of(decoder, [5, 6, 7], 12)
    alone(choir, order, whole)
    part = whole.text[2:4]
    order, ear = order_of(decoder, [5, 6, 7], 12, stops=(part,))
    alone(choir, order, ear)
    assert ear.finish == "stop"
    assert ear.text == whole.text[: whole.text.index(part)]
    order, ear = order_of(decoder, [5, 6, 7], 12, end=whole.tokens[3])
    alone(choir, order, ear)
    assert ear.finish == "stop"
    assert ear.tokens == whole.tokens[: whole.tokens.index(whole.tokens[3]) + 1]
    choir.check_nothing_is_held()


def test_in_plot_mode_the_domain_counts_what_was_looked_up(
    decoder: Decoder, decoder_hplm: Hplm
) -> None:
    choir = Choir(decoder)
    knowledge = knowledge_of(decoder_hplm)
    order, ear = order_of(decoder, [5, 6, 7], 6, way=Way(knowledge))
    alone(choir, order, ear)
    # The prompt's three, and each said token but the last, which nothing follows.
    assert ear.ended is not None
    assert ear.ended.lookups is not None
    assert ear.ended.lookups.tokens == 8
    assert knowledge.traffic.misses == 8
    assert 0 <= ear.ended.queue_s <= ear.ended.first_token_s <= ear.ended.total_s
    spent = ear.ended.load_s + ear.ended.retrieve_s + ear.ended.compute_s
    assert 0 < spent <= ear.ended.total_s
    # The prompt in one round, and one for each token that something followed.
    assert len(choir.records) == 6
    assert (ear.ended.batch_size, ear.ended.batch_models) == (1, 1)
    order, ear = order_of(decoder, [5, 6, 7], 6)
    assert alone(choir, order, ear).ended is not None
    assert ear.ended is not None
    assert ear.ended.lookups is None


def test_who_asks_is_told_of_each_token_that_was_looked_up_whatever_the_rounds(
    decoder: Decoder, decoder_hplm: Hplm
) -> None:
    prompt = [5, 6, 7, 8, 9, 4, 3]
    # The prompt runs in chunks, beside another text of another domain.
    choir = Choir(decoder, budget=3)
    order, ear = order_of(decoder, prompt, 5, way=Way(knowledge_of(decoder_hplm)), explain=True)
    beside, other = order_of(decoder, [1, 2], 9, way=Way(knowledge_of(decoder_hplm, "mail")))
    choir.offer(order)
    choir.offer(beside)
    choir.sing_until(lambda: ear.over and other.over)
    assert [token for token, _ in ear.read] == [*prompt, *ear.tokens[:-1]]
    assert {origin.source for _, origin in ear.read} <= {"computed", "cached"}
    assert other.read == []
    told: Counter[str] = Counter()
    for record in choir.records:
        for domain, found in record.lookups:
            told[domain] += found.tokens
    assert told == {"general": len(ear.read), "mail": 2 + 9 - 1}


def test_an_adapter_that_is_forgotten_stays_until_its_last_text_has_ended(
    decoder: Decoder,
) -> None:
    wanted, ear = order_of(decoder, [1, 2], 12, adapter="a")
    alone(Choir(decoder), wanted, ear)
    choir = Choir(decoder)
    order, found = order_of(decoder, [1, 2], 12, adapter="a")
    choir.offer(order)
    choir.sing_until(lambda: len(found.tokens) >= 2)
    choir.tiers.forget("a")
    other, _ = order_of(decoder, [3], 2, adapter="b")
    choir.offer(other)
    choir.sing()
    assert found.tokens == ear.tokens
    assert choir.tiers.tier("a") == "disk"
    choir.check_nothing_is_held()


def test_closing_tells_whoever_lives(decoder: Decoder) -> None:
    choir = Choir(decoder)
    asked = [order_of(decoder, [1, 2], 12, adapter=name) for name in ("a", "b")]
    choir.offer(*(order for order, _ in asked))
    choir.sing_until(lambda: all(ear.tokens for _, ear in asked))
    choir.rounds.close(Unavailable("The engine is stopping."))
    assert all(isinstance(ear.error, Unavailable) for _, ear in asked)
    choir.check_nothing_is_held()
