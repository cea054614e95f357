"""What it costs to choose a batch out of what waits.

    python -m tests.benchmarks.scheduling_cost

Works of many tenants wait; batches are taken and as many works offered again. Seconds are those of
the thread, so what else runs on the machine counts less.
"""

from __future__ import annotations

import random
import time
from statistics import median

import click

from engine.bench.about import about_run
from engine.bench.table import table
from engine.errors import QueueFull
from engine.memory.counters import Standing
from engine.serving.draft import BatchLimits
from engine.serving.scheduler import Scheduler
from engine.serving.work import Work
from tests.engine.serving.works import Clock, work

_ADAPTERS = 10
"""Of each tenant."""


@click.command()
@click.option("--tenants", type=int, default=1000, show_default=True)
@click.option("--waiting", type=int, default=5000, show_default=True)
@click.option("--batches", type=int, default=200, show_default=True)
def main(tenants: int, waiting: int, batches: int) -> None:
    """Milliseconds a batch, microseconds a request."""
    click.echo(about_run(threads=1, seed=0).line() + "\n")
    lines = [
        (name, *_measure(tenants, waiting, batches, resident, pause, slo))
        for name, resident, pause, slo in (
            ("all resident", 1.0, 0.0, None),
            ("1 in 20 resident, young", 0.05, 0.0, None),
            ("1 in 20 resident, old", 0.05, 0.3, None),
            ("1 in 20 resident, with --slo-ms", 0.05, 0.0, 1e6),
        )
    ]
    click.echo(table(("WAITING WORKS", ">WORKS", ">TAKE ms", ">MOST ms", ">OFFER µs"), lines))


def _measure(
    tenants: int, waiting: int, batches: int, resident: float, pause: float, slo: float | None
) -> list[str]:
    dice, clock, limits = random.Random(0), Clock(), BatchLimits(2048, 600)
    standings: dict[str, Standing] = {
        f"{tenant}/{i}": "device" if dice.random() < resident else "ready"
        for tenant in range(tenants)
        for i in range(_ADAPTERS)
    }
    queue = Scheduler(1 << 40, standing=standings.__getitem__, slo_ms=slo, clock=clock)

    def text() -> Work:
        tenant = dice.randrange(tenants)
        adapter = f"{tenant}/{dice.randrange(_ADAPTERS)}"
        return work(dice.randint(5, 80), adapter, tenant=str(tenant), accepted=clock.now)

    queue.offer([text() for _ in range(waiting)])
    takes: list[float] = []
    offers: list[float] = []
    sizes: list[int] = []
    for _ in range(batches):
        began = time.thread_time()
        batch = queue.take(limits)
        takes.append(time.thread_time() - began)
        sizes.append(len(batch))
        clock.now += pause + 1e-5 * sum(len(each.ids) for each in batch)
        queue.finished(batch)
        for each in [text() for _ in batch]:
            began = time.thread_time()
            try:
                queue.offer([each])
            except QueueFull:
                continue
            offers.append(time.thread_time() - began)
    return [
        f"{median(sizes):.0f}",
        f"{1e3 * median(takes):.2f}",
        f"{1e3 * max(takes):.2f}",
        f"{1e6 * median(offers):.0f}",
    ]


if __name__ == "__main__":
    main()
