"""Which living sequences run in a round, and how far: deficit round robin over tenants by weight.

M. Shreedhar and G. Varghese, "Efficient fair queueing using deficit round robin", 1995. A prompt
can be cut anywhere, so a tenant's turn always uses up what it has saved, to a part of a token.
Within a tenant texts that go on come before prompts: each is one token, and its reader waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

QUANTUM = 4.0
"""Tokens that a turn brings the heaviest tenant; the others get their share of it. Few, so that
all tenants whose texts go on have a turn in nearly every round."""


class Runs(Protocol):
    """A sequence as it is shared out."""

    @property
    def tenant(self) -> str: ...

    @property
    def left(self) -> int:
        """Tokens that it could run now; at least 1."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether its prompt is through."""
        ...


R = TypeVar("R", bound=Runs)


class Share(Generic[R]):
    """One tenant's sequences, the one that ran longest ago first."""

    __slots__ = ("credited", "deficit", "sequences", "tenant", "weight")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.weight = 1.0
        self.deficit = 0.0
        """Tokens it may still run in its turn."""
        self.credited = False
        """Whether the turn that it has now has brought it its quantum."""
        self.sequences: list[R] = []

    def ready(self) -> deque[R]:
        """What may run in a round, in order."""
        return deque(sorted(self.sequences, key=lambda one: not one.speaks))

    def ran(self, one: R) -> None:
        """It goes behind its tenant's others."""
        if one.speaks:
            self.sequences.remove(one)
            self.sequences.append(one)


class Shares(Generic[R]):
    """Not thread-safe."""

    def __init__(self, weight: Callable[[str], float]) -> None:
        self._weight = weight
        self._ring: deque[Share[R]] = deque()
        """In the order of their turns; whose turn it is stands first."""
        self._of: dict[str, Share[R]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[R]:
        for share in list(self._ring):
            yield from list(share.sequences)

    def join(self, one: R) -> None:
        share = self._of.get(one.tenant)
        if share is None:
            share = self._of[one.tenant] = Share(one.tenant)
            self._ring.append(share)
        share.sequences.append(one)
        self._count += 1

    def leave(self, one: R) -> None:
        share = self._of[one.tenant]
        share.sequences.remove(one)
        self._count -= 1
        if not share.sequences:
            del self._of[one.tenant]
            self._ring.remove(share)

    def plan(self, budget: int) -> list[tuple[R, int]]:
        """Sequences with how many tokens each runs, at most `budget` in all; every sequence runs
        if there is room for all."""
        for share in self._ring:
            share.weight = self._weight(share.tenant)
        ready = {share.tenant: share.ready() for share in self._ring}
        planned: dict[int, tuple[R, int]] = {}
        while budget and ready:
            share = self._ring[0]
            mine = ready.get(share.tenant)
            if mine is not None:
                budget = self._turn(share, mine, planned, budget, ready)
                if not mine:
                    # Who has nothing left to run saves nothing.
                    share.deficit, share.credited = 0.0, False
                    del ready[share.tenant]
                elif not budget and share.deficit >= 1:
                    break
            share.credited = False
            self._ring.rotate(-1)
        for one, _ in planned.values():
            self._of[one.tenant].ran(one)
        return list(planned.values())

    def _turn(
        self,
        share: Share[R],
        mine: deque[R],
        planned: dict[int, tuple[R, int]],
        budget: int,
        ready: dict[str, deque[R]],
    ) -> int:
        """Let the share use its turn; what is left of the budget."""
        if not share.credited:
            heaviest = max(self._of[tenant].weight for tenant in ready)
            share.deficit += QUANTUM * share.weight / heaviest
            share.credited = True
        while mine and budget and share.deficit >= 1:
            one = mine[0]
            had = planned[id(one)][1] if id(one) in planned else 0
            count = min(one.left - had, budget, int(share.deficit))
            planned[id(one)] = (one, had + count)
            share.deficit -= count
            budget -= count
            if had + count == one.left:
                mine.popleft()
        return budget
