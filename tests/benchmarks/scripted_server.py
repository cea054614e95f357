"""The scripted engine on a real socket, for measuring the application without an engine's load.

    python -m tests.benchmarks.scripted_server SOCKET --vplms 10000

It ends when its stdin does, so that it never outlives the measurement that started it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.schema import Rates, Status
from tests.hmi_tui.app.busy import busy_engine
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.cli.fake_engine import Asked, FakeEngine

T = TypeVar("T")

NOTHING_ASKED = Rates(
    window_s=30,
    requests_per_s=0.0,
    texts_per_s=0.0,
    tokens_per_s=0.0,
    errors_per_s=0.0,
    p50_s=None,
    p99_s=None,
    hit_rate=None,
    batch_size=None,
)
"""The rates of an engine that nobody asks."""


def result(answer: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing; the scripted engine's all do so."""
    try:
        answer.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("the scripted engine waits for something")


def serve(socket: Path, engine: ScriptedEngine, *, live: bool) -> FakeEngine:
    """Answers for the overview and for the lists; the figures of a `live` one change each time."""
    began, lock = time.time(), threading.Lock()

    def status(_: Asked) -> Status:
        with lock:
            now = result(engine.status())
        told = now.engine.model_copy(update={"uptime_s": time.time() - began})
        more = {} if live else {"rates": NOTHING_ASKED, "jobs": []}
        return now.model_copy(update={"engine": told, "time": time.time(), **more})

    def listed(asked: Asked) -> dict[str, Any]:
        """The query's parameters as the client's methods take them."""
        return {**asked.query, "limit": int(asked.query.get("limit", 100))}

    server = FakeEngine(socket)
    server.on("GET", "/v1/status", status)
    server.on("GET", "/v1/tenants", lambda asked: result(engine.tenants(**listed(asked))))
    server.on("GET", "/v1/vplms", lambda asked: result(engine.vplms(**listed(asked))))
    return server


@click.command()
@click.argument("socket", type=click.Path(path_type=Path))
@click.option("--vplms", type=int, default=10_000, show_default=True)
@click.option("--live/--still", default=True, show_default=True, help="Whether figures change.")
def main(socket: Path, vplms: int, live: bool) -> None:
    with serve(socket, busy_engine(vplms), live=live):
        sys.stdin.read()


if __name__ == "__main__":
    main()
