"""vPLMs that are made while others are asked: how soon they answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from engine.client import Client, HmiError, Paths
from engine.schema import VplmCreate

EVERY_S = 1.0
TENANT = "visitor"
"""Sorts behind the tenants of a Population, which alone are asked by the load."""


@dataclass(slots=True)
class Newcomers:
    """Seconds that each took to be made, and then to answer its first text."""

    created_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)
    failed: int = 0

    def document(self) -> dict[str, Any]:
        return asdict(self)


def render_newcomers(document: dict[str, Any]) -> str:
    made, answered = document["created_s"], document["answered_s"]
    if not answered:
        return f"none, {document['failed']} failed"
    return (
        f"{len(answered)} made in {_ms(made)}, first answer in {_ms(answered)}, "
        f"{document['failed']} failed"
    )


@contextmanager
def arriving(
    paths: Paths, labels: list[str], domain: str, rank: int, every: float = EVERY_S
) -> Iterator[Newcomers]:
    """One new vPLM every so many seconds inside, each asked as soon as its creation returns."""
    found, over = Newcomers(), threading.Event()

    def arrive() -> None:
        with Client(paths=paths) as client:
            client.create_tenant(TENANT)
            for number in itertools.count():
                if over.wait(every):
                    return
                _arrive(client, f"n-{number:05d}", found)

    def _arrive(client: Client, name: str, found: Newcomers) -> None:
        began = time.perf_counter()
        try:
            made = client.create_vplm(
                VplmCreate(tenant=TENANT, name=name, labels=labels, domain=domain, rank=rank)
            )
            created = time.perf_counter()
            client.classify(made.id, "the first text that it is asked about")
        except HmiError:
            found.failed += 1
        else:
            found.created_s.append(created - began)
            found.answered_s.append(time.perf_counter() - created)

    thread = threading.Thread(target=arrive, name="newcomers", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _ms(seconds: list[float]) -> str:
    return f"{median(seconds) * 1e3:.0f} ms (at most {max(seconds) * 1e3:.0f})"
