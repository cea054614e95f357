from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.size.demand import Demand, Room
from engine.size.estimate import Estimate, estimate
from engine.size.machines import ACCELERATORS, CPU, Accelerator, Measured
from engine.size.shapes import BERT_BASE, BUNDLED, Shape

GIB = 1 << 30
ROOM = Room(memory=64 * GIB, disk=500 * GIB, cores=8)
MACHINES: st.SearchStrategy[Measured | Accelerator] = st.sampled_from([CPU, *ACCELERATORS.values()])
SHAPES = st.sampled_from([BUNDLED, BERT_BASE])
DEMANDS = st.builds(
    Demand,
    tenants=st.just(1),
    vplms=st.integers(1, 10**5),
    rate=st.floats(0.1, 1e4),
    tokens=st.floats(1, 512),
    hits=st.floats(0, 1),
    rank=st.integers(1, 64),
    popularity=st.sampled_from(["uniform", "zipf"]),
    mode=st.sampled_from(["plot", "exact"]),
)
NOISE = 1.02
"""Residency under Zipf counts far ranks in groups."""


def made(demand: Demand, shape: Shape, machine: Measured | Accelerator) -> Estimate:
    return estimate(demand, ROOM, shape, machine, CPU)


def uses(found: Estimate) -> dict[str, float]:
    return {limit.name: limit.use for limit in found.limits}


@given(DEMANDS, SHAPES, MACHINES)
def test_nothing_is_used_less_at_a_higher_rate(
    demand: Demand, shape: Shape, machine: Measured | Accelerator
) -> None:
    slow = uses(made(demand, shape, machine))
    fast = uses(made(replace(demand, rate=demand.rate * 1.5), shape, machine))
    assert all(fast[name] >= slow[name] for name in slow)


@given(DEMANDS, SHAPES, MACHINES)
def test_nothing_is_used_less_by_more_vplms(
    demand: Demand, shape: Shape, machine: Measured | Accelerator
) -> None:
    few = made(demand, shape, machine)
    many = made(replace(demand, vplms=demand.vplms * 2), shape, machine)
    assert all(uses(many)[n] * NOISE + 1e-5 * demand.rate >= uses(few)[n] for n in uses(few))
    assert many.tiers[2].bytes == 2 * few.tiers[2].bytes
    assert many.highest_rate <= few.highest_rate * NOISE


@given(DEMANDS, SHAPES, MACHINES)
def test_the_binding_limit_is_the_one_that_is_used_most(
    demand: Demand, shape: Shape, machine: Measured | Accelerator
) -> None:
    found = made(demand, shape, machine)
    assert found.binding.use == max(uses(found).values())
    assert found.holds == (found.binding.use <= 1)


@given(DEMANDS, SHAPES, MACHINES)
def test_at_the_highest_rate_the_first_limit_of_time_is_just_reached(
    demand: Demand, shape: Shape, machine: Measured | Accelerator
) -> None:
    rate = made(demand, shape, machine).highest_rate
    found = made(replace(demand, rate=rate), shape, machine)
    assert max(limit.use for limit in found.limits if limit.rises) == pytest.approx(1)


@given(DEMANDS, SHAPES, MACHINES)
def test_what_is_read_is_what_nobody_holds_and_bytes_follow_adapters(
    demand: Demand, shape: Shape, machine: Measured | Accelerator
) -> None:
    found = made(demand, shape, machine)
    device, host, disk = found.tiers
    assert 0 <= found.swap_per_s["disk"] <= found.swap_per_s["slots"] + 1e-9 <= demand.rate + 1e-6
    assert disk.holds == demand.vplms
    assert found.swap_bytes_per_s["disk"] == pytest.approx(
        found.swap_per_s["disk"] * disk.bytes / disk.holds
    )
    assert device.holds <= demand.vplms
    assert host.bytes <= ROOM.host_cache


def test_a_longer_text_of_a_larger_model_with_more_misses_takes_longer() -> None:
    demand = Demand(tenants=1, vplms=100, rate=10)
    machines: list[Measured | Accelerator] = [CPU, *ACCELERATORS.values()]
    for machine in machines:
        base = made(demand, BUNDLED, machine).text_s
        assert made(replace(demand, tokens=480), BUNDLED, machine).text_s > base
        assert made(demand, BERT_BASE, machine).text_s > base
        assert made(replace(demand, hits=0.0), BUNDLED, machine).text_s >= base


def test_exact_mode_takes_what_was_measured_for_it_and_looks_nothing_up() -> None:
    demand = Demand(tenants=1, vplms=100, rate=10, tokens=24, mode="exact")
    assert made(demand, BUNDLED, CPU).text_s == pytest.approx(24 * CPU.exact_token_s)
    assert "retrieve" not in uses(made(demand, BUNDLED, ACCELERATORS["l4"]))
    warm = replace(demand, mode="plot", hits=1.0)
    assert made(warm, BUNDLED, CPU).text_s < made(demand, BUNDLED, CPU).text_s


def test_an_accelerators_memory_is_not_the_hosts() -> None:
    demand = Demand(tenants=1, vplms=100, rate=10)
    on_cpu, on_l4 = made(demand, BERT_BASE, CPU), made(demand, BERT_BASE, ACCELERATORS["l4"])
    assert "device memory" not in uses(on_cpu)
    assert 0 < uses(on_l4)["device memory"] < 1
    assert uses(on_l4)["memory"] < uses(on_cpu)["memory"]


@pytest.mark.parametrize("change", [{"rank": 65}, {"tenants": 11}])
def test_what_no_engine_could_hold_is_refused(change: dict[str, int]) -> None:
    demand = replace(Demand(tenants=1, vplms=10, rate=1), **change)  # type: ignore[arg-type]
    with pytest.raises(BadInput) as refused:
        made(demand, BUNDLED, CPU)
    assert refused.value.remedy
