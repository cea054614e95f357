"""What the measurements of a whole engine stand on: its flags, and texts for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.bench.options import FILE, NAMES, PAIR, flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.bench.sources import Sources


@dataclass(frozen=True, slots=True)
class Ground:
    """`serve` are flags of `hmi serve` beyond the measurement's own; the rest as a Subject's."""

    data: Path | None = None
    datasets: tuple[str, ...] = ()
    domains: Mapping[str, str] = field(default_factory=dict)
    threads: int = 0
    serve: tuple[str, ...] = ()

    @property
    def cores(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))

    def sources(self) -> Sources:
        from engine.bench.sources import open_sources

        return open_sources(self.data, self.datasets, self.domains)


def on_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command gets what is asked for here as its `ground`."""

    @wraps(command)
    def with_ground(serve: str, **given: Any) -> Any:
        ground = Ground(
            given.pop("data"),
            given.pop("datasets"),
            dict(given.pop("domain")),
            given.pop("threads"),
            tuple(serve.split()),
        )
        return command(ground=ground, **given)

    for add in reversed(_FLAGS):
        with_ground = add(with_ground)
    return with_ground


_FLAGS = (
    flag("--data", type=FILE, metavar="DIR", help="Datasets and corpora (the demo's)."),
    flag("--datasets", type=NAMES, default="", metavar="A,B", help="Only these (all)."),
    flag(
        "--domain",
        type=PAIR,
        multiple=True,
        metavar="NAME=CORPUS",
        help="The corpus that belongs to a dataset; may be repeated.",
    ),
    flag("--threads", type=click.IntRange(0), default=0, help="The engine's; 0 is one a core."),
    flag(
        "--serve",
        default="",
        metavar="FLAGS",
        help='Further flags of hmi serve, such as "--miss backoff".',
    ),
)
