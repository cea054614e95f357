"""Orders that wait to be let in: first come, first served within a tenant; between tenants, whoever
holds least of the cache."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.errors import QueueFull, Unavailable
from engine.serving.generation.order import Order


class Lobby:
    """Thread-safe. `weight` is called with the lock held and must not block."""

    def __init__(self, limit_tokens: int, weight: Callable[[str], float]) -> None:
        """`limit_tokens`: what may wait, counted as what it will take in the cache at most."""
        self.limit_tokens = limit_tokens
        self.tokens = 0
        self._weight = weight
        self._lines: dict[str, deque[Order]] = {}
        self._held: dict[str, int] = {}
        """Tokens that wait, by tenant."""
        self._closed = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(map(len, list(self._lines.values())))

    def enter(self, orders: Sequence[Order], tokens_per_s: float) -> None:
        """All of a request's orders, or none: QueueFull, or Unavailable once it is closed."""
        if not orders:
            return
        tenant, tokens = orders[0].tenant, sum(order.tokens for order in orders)
        assert all(order.tenant == tenant for order in orders), "a request is one tenant's"
        with self._lock:
            if self._closed:
                raise Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
            self._check(tenant, tokens, tokens_per_s)
            self._lines.setdefault(tenant, deque()).extend(orders)
            self._held[tenant] = self._held.get(tenant, 0) + tokens
            self.tokens += tokens

    def leave(self, orders: Iterable[Order]) -> list[Order]:
        """Take out those that are here, and say which they were."""
        with self._lock:
            return [order for order in orders if self._remove(order)]

    def next(
        self, held: Mapping[str, int], ready: Callable[[Order], bool] = lambda _: True
    ) -> Order | None:
        """Whose turn it is to be let in, who stays here: of the tenants with a `ready` order the
        one that holds least of the cache for its weight, and of equals who came first."""
        with self._lock:
            found: tuple[float, float, Order] | None = None
            for tenant, line in self._lines.items():
                order = next((each for each in line if ready(each)), None)
                if order is None:
                    continue
                load = held.get(tenant, 0) / self._weight(tenant)
                if found is None or (load, order.accepted) < found[:2]:
                    found = (load, order.accepted, order)
            return None if found is None else found[2]

    def close(self) -> list[Order]:
        """Let nobody in any more; those who waited, to be told."""
        with self._lock:
            self._closed = True
            left = [order for line in self._lines.values() for order in line]
            self._lines.clear()
            self._held.clear()
            self.tokens = 0
        return left

    def _check(self, tenant: str, tokens: int, tokens_per_s: float) -> None:
        # An empty lobby takes anything, or what is larger than it could never be asked.
        if not self.tokens or self.tokens + tokens <= self.limit_tokens:
            return
        own = self._weight(tenant)
        others = sum(self._weight(other) for other in self._held if other != tenant)
        # No tenant is refused for what others have waiting.
        if self._held.get(tenant, 0) + tokens <= self.limit_tokens * own / (own + others):
            return
        excess = self.tokens + tokens - self.limit_tokens
        raise QueueFull(
            f"Texts of {self.tokens:,} tokens wait to be generated; {self.limit_tokens:,} may.",
            retry_after=min(60.0, excess / max(tokens_per_s, 1.0)),
        )

    def _remove(self, order: Order) -> bool:
        line = self._lines.get(order.tenant)
        if line is None or order not in line:
            return False
        line.remove(order)
        self.tokens -= order.tokens
        self._held[order.tenant] -= order.tokens
        if not line:
            del self._lines[order.tenant], self._held[order.tenant]
        return True
