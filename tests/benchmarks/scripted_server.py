"""The scripted engine on a real socket, for measuring the application without an engine's load.

    python -m tests.benchmarks.scripted_server SOCKET --vplms 10000

It ends when its stdin does, so that it never outlives the measurement that started it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.schema import DomainEpochs, NgramPage, Rates, Slot, SpanFeed, Status
from tests.hmi_tui.app.busy import busy_engine
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.app.span_documents import BEAT_S, batches
from tests.hmi_tui.cli.fake_engine import Asked, FakeEngine

T = TypeVar("T")

SPANS_OF_A_BATCH = 4

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
    """Answers for what the modes show; the figures of a `live` one change each time, and batches
    go through it."""
    began, lock = time.time(), threading.Lock()

    def status(_: Asked) -> Status:
        with lock:
            now = result(engine.status())
        told = now.engine.model_copy(update={"uptime_s": time.time() - began})
        more = {} if live else {"rates": NOTHING_ASKED, "jobs": []}
        return now.model_copy(update={"engine": told, "time": time.time(), **more})

    def spans(asked: Asked) -> SpanFeed:
        with lock:
            through = len(engine.spans_told) // SPANS_OF_A_BATCH
            due = int((time.time() - began) / BEAT_S) if live else 0
            engine.spans_told += batches(through + 1, due)
            after = asked.query.get("after")
            limit = int(asked.query.get("limit", 1024))
            return result(engine.spans(None if after is None else int(after), limit))

    def listed(asked: Asked) -> dict[str, Any]:
        """The query's parameters as the client's methods take them."""
        return {**asked.query, "limit": int(asked.query.get("limit", 100))}

    server = FakeEngine(socket)
    server.on("GET", "/v1/status", status)
    server.on("GET", "/v1/tenants", lambda asked: result(engine.tenants(**listed(asked))))
    server.on("GET", "/v1/vplms", lambda asked: result(engine.vplms(**listed(asked))))
    server.on("GET", "/v1/adapters", lambda asked: result(engine.adapters(**listed(asked))))
    server.on("GET", "/v1/jobs", lambda asked: result(engine.jobs(**listed(asked))))
    server.on("GET", "/v1/spans", spans)
    server.on("GET", "/v1/slots", lambda _: result(engine.slots()))
    for number in range(1, engine.slot_map.slots + 1):
        server.on("GET", f"/v1/slots/{number}", partial(_slot, engine, number))
    for job in engine.job_rows:
        server.on("GET", f"/v1/jobs/{job.id}", job)
    for domain in engine.domain_rows:
        path = f"/v1/domains/{domain.name}"
        server.on("GET", f"{path}/ngrams", partial(_ngrams, engine, domain.name))
        server.on("GET", f"{path}/epochs", partial(_epochs, engine, domain.name))
    for vplm in engine.vplm_rows[:1]:
        server.on("GET", f"/v1/vplms/{vplm.id}", vplm)
    server.on("POST", "/v1/classify", lambda asked: result(engine.classify(**asked.json)))
    return server


def _slot(engine: ScriptedEngine, number: int, _: Asked) -> Slot:
    return result(engine.slot(number))


def _ngrams(engine: ScriptedEngine, name: str, _: Asked) -> NgramPage:
    return result(engine.ngrams(name))


def _epochs(engine: ScriptedEngine, name: str, _: Asked) -> DomainEpochs:
    return result(engine.epochs(name))


@click.command()
@click.argument("socket", type=click.Path(path_type=Path))
@click.option("--vplms", type=int, default=10_000, show_default=True)
@click.option("--live/--still", default=True, show_default=True, help="Whether figures change.")
def main(socket: Path, vplms: int, live: bool) -> None:
    with serve(socket, busy_engine(vplms), live=live):
        sys.stdin.read()


if __name__ == "__main__":
    main()
