"""Who asked, and when last: counted in memory, written down now and then.

What is not written down yet is lost by a crash; it is minutes of counting, and no data.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from store.catalogue import Catalogue


class Usage:
    """Requests of each tenant by month (UTC), and each vPLM's last use (Unix seconds)."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], float] = time.time) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, float] = {}

    def note(self, tenant: str, vplm: str) -> None:
        """A request has come."""
        now = self._clock()
        with self._lock:
            self._requests[month_of(now), tenant] += 1
            self._last[vplm] = now

    def last_used(self, vplm: str, known: float | None) -> float | None:
        """When it was last asked; `known` is what the catalogue has."""
        return self._last.get(vplm, known)

    def requests(self) -> dict[str, int]:
        """This month's, by tenant."""
        month = month_of(self._clock())
        found = Counter(self._catalogue.usage.of(month))
        with self._lock:
            for (when, tenant), count in self._requests.items():
                if when == month:
                    found[tenant] += count
        return found

    def training_seconds(self) -> dict[str, float]:
        """This month's, by tenant."""
        return self._catalogue.jobs.training_seconds(month_start(self._clock()))

    def forget(self, tenant: str) -> None:
        """The tenant is gone; another of that name begins at nothing."""
        with self._lock:
            self._requests = Counter({k: n for k, n in self._requests.items() if k[1] != tenant})
            self._last = {k: at for k, at in self._last.items() if not k.startswith(f"{tenant}/")}

    def drop(self, vplm: str) -> None:
        """The vPLM is gone."""
        with self._lock:
            self._last.pop(vplm, None)

    def save(self) -> None:
        """Write down what is new. StoreError if that fails; then it is tried again next time."""
        with self._lock:
            requests, self._requests = self._requests, Counter()
            last, self._last = self._last, {}
        try:
            self._catalogue.usage.add(requests, last)
        except BaseException:
            with self._lock:
                self._requests += requests
                self._last = last | self._last
            raise


def month_of(when: float) -> str:
    """The month of a Unix time, such as "2026-11"."""
    return time.strftime("%Y-%m", time.gmtime(when))


def month_start(when: float) -> float:
    """The Unix time at which the month of `when` began."""
    now = time.gmtime(when)
    seconds = now.tm_sec + 60 * (now.tm_min + 60 * now.tm_hour)
    return float(int(when) - seconds - 86_400 * (now.tm_mday - 1))
