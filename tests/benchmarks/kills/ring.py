"""What the engine has acknowledged of API keys, and whether its door keeps to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from engine.client import Client, Refused, Unauthorized
from engine.schema import Scope

_SHUT_TRIED = 10


@dataclass(frozen=True, slots=True)
class Given:
    """A key as it was shown; `tenant` None: the operator's."""

    id: str
    key: str
    tenant: str | None
    scopes: tuple[Scope, ...]


def id_of(key: str) -> str:
    """How it begins."""
    return "-".join(key.split("-", 2)[:2])


@dataclass
class Ring:
    """`opens` and `shut` are what was said last of each key, by its id; of those that a call
    `under_way` concerns nothing is said, but that they all go one way.

    One thread at a time changes a holder's keys.
    """

    opens: dict[str, Given] = field(default_factory=dict)
    shut: dict[str, Given] = field(default_factory=dict)
    under_way: list[tuple[str, ...]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, tenant: str | None) -> list[Given]:
        """Those that open, oldest first."""
        with self.lock:
            return [each for each in self.opens.values() if each.tenant == tenant]

    def give(self, given: Given) -> None:
        with self.lock:
            self.opens[given.id] = given

    @contextmanager
    def shutting(self, keys: Sequence[Given]) -> Iterator[None]:
        """While a call is under way that ends `keys`; they are shut when it returns."""
        ids = tuple(each.id for each in keys)
        with self.lock:
            self.under_way.append(ids)
        yield
        with self.lock:
            self.under_way.remove(ids)
            for each in ids:
                self.shut[each] = self.opens.pop(each)

    def try_all(self, url: str) -> list[str]:
        """Every key that was said to open, and the latest that were said to be shut, tried on the
        engine at `url`: what is not as it was said. What was under way is settled."""
        broken = []
        for ids in self.under_way:
            ended = [each for each in ids if _found(url, self.opens[each]) == "shut"]
            if len(ended) not in (0, len(ids)):
                broken.append(f"of the keys {ids}, which one call was to end, it ended {ended}")
            for each in ended:
                self.shut[each] = self.opens.pop(each)
        self.under_way.clear()
        latest = list(self.shut.values())[-_SHUT_TRIED:]
        said = [(each, "as given") for each in self.opens.values()]
        for given, expected in [*said, *((each, "shut") for each in latest)]:
            found = _found(url, given)
            if found != expected:
                broken += [f"key {given.id} of {given.tenant} is {found}, it was to be {expected}"]
        return broken


def _found(url: str, given: Given) -> Literal["shut", "as given", "for more", "for less"]:
    """Asked for something that needs one of the scopes."""
    with Client(url=url, key=given.key, timeout=20) as client:
        try:
            client.keys(given.tenant)
        except Unauthorized:
            return "shut"
        except Refused:
            return "for less" if "manage" in given.scopes else "as given"
    return "as given" if "manage" in given.scopes else "for more"
