"""The backbones that serve, each with all that is its own, by the sha256 of its weights."""

from __future__ import annotations

from dataclasses import replace

from engine.appliance.stack import Stack
from engine.memory.counters import TierCounters, TierName, TierUse

_TIERS: tuple[TierName, ...] = ("host", "device")


class Stacks:
    """What is asked of all backbones at once is asked here. Thread-safe."""

    def __init__(self, own: Stack) -> None:
        self.own = own
        """The engine's own, loaded at its start."""

    def get(self, sha256: str) -> Stack | None:
        """The stack of that backbone, if it is loaded."""
        return self.own if sha256 == self.own.sha256 else None

    def loaded(self) -> list[Stack]:
        """The engine's own first."""
        return [self.own]

    def waiting(self) -> int:
        """Texts in the queues of all."""
        return sum(stack.queue.size()[0] for stack in self.loaded())

    def use(self) -> dict[TierName, TierUse]:
        """What the host and device tiers of all hold together, and have done."""
        uses = [stack.tiers.use() for stack in self.loaded()]
        return {name: _sum([use[name] for use in uses]) for name in _TIERS}

    def stop(self) -> None:
        """Serve nothing any more."""
        for stack in self.loaded():
            stack.stop()

    def close(self) -> None:
        """Put down what was counted, once nobody changes it any more."""
        for stack in self.loaded():
            stack.close()


def _sum(uses: list[TierUse]) -> TierUse:
    return TierUse(
        sum(use.resident for use in uses),
        sum(use.bytes for use in uses),
        sum(use.budget for use in uses),
        sum(use.held for use in uses),
        sum_of_counters([use.counters for use in uses]),
    )


def sum_of_counters(counters: list[TierCounters]) -> TierCounters:
    """What several have done, together."""
    total = TierCounters()
    for each in counters:
        total = replace(
            total,
            **{name: getattr(total, name) + getattr(each, name) for name in each.__slots__},
        )
    return total
