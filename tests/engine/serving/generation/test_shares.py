"""Who runs in a round, and how far."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from engine.serving.generation.shares import QUANTUM, Shares


@dataclass(eq=False)
class Runner:
    tenant: str
    left: int
    speaks: bool = False
    had: int = 0


def round_of(shares: Shares[Runner], budget: int) -> int:
    """Run a round of endless texts; what it ran."""
    total = 0
    for one, count in shares.plan(budget):
        assert 1 <= count <= one.left
        one.had += count
        total += count
    return total


def shares_of(*runners: Runner, **weights: float) -> Shares[Runner]:
    shares: Shares[Runner] = Shares(lambda tenant: weights.get(tenant, 1.0))
    for one in runners:
        shares.join(one)
    return shares


runners_of = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 60), st.booleans()), min_size=1, max_size=12
)


@given(runners_of, st.integers(1, 100), st.lists(st.floats(0.01, 100.0), min_size=4, max_size=4))
def test_a_round_uses_its_whole_budget_if_there_is_use_for_it(
    given_runners: list[tuple[str, int, bool]], budget: int, weights: list[float]
) -> None:
    runners = [Runner(t, 1 if speaks else left, speaks) for t, left, speaks in given_runners]
    shares = shares_of(*runners, **dict(zip("abcd", weights, strict=True)))
    for _ in range(4):
        planned = shares.plan(budget)
        assert len({id(one) for one, _ in planned}) == len(planned)
        wanted = sum(one.left for one in runners)
        assert sum(count for _, count in planned) == min(budget, wanted)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 50))
def test_over_rounds_tenants_get_tokens_by_weight_whatever_they_have_waiting(
    light: int, heavy: int, budget: int
) -> None:
    few = [Runner("few", 500) for _ in range(2)]
    many = [Runner("many", 500) for _ in range(20)]
    shares = shares_of(*many, *few, few=float(heavy), many=float(light))
    total = sum(round_of(shares, budget) for _ in range(60))
    got = sum(one.had for one in few)
    fair = total * heavy / (heavy + light)
    # A quantum, and what a turn may be behind.
    assert abs(got - fair) <= 2 * QUANTUM + 2


def test_texts_that_go_on_come_before_their_own_tenants_prompts_and_take_turns() -> None:
    prompt = Runner("a", 50)
    texts = [Runner("a", 1, speaks=True) for _ in range(4)]
    shares = shares_of(prompt, *texts)
    for _ in range(4):
        round_of(shares, 3)
    assert [one.had for one in texts] == [3, 3, 3, 3]
    assert prompt.had == 0
    round_of(shares, 6)
    assert prompt.had == 2


def test_one_token_of_another_tenant_does_not_wait_for_a_long_prompt() -> None:
    prompt, text = Runner("flood", 5_000), Runner("quick", 1, speaks=True)
    shares = shares_of(prompt, text)
    for _ in range(10):
        assert round_of(shares, 64) == 64
    assert text.had == 10


def test_who_left_takes_no_turn() -> None:
    one, other = Runner("a", 5), Runner("b", 5)
    shares = shares_of(one, other)
    shares.leave(one)
    assert [each for each, _ in shares.plan(100)] == [other]
    assert (len(shares), list(shares)) == (1, [other])
