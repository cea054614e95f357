"""Rebuilds that nobody asks for by hand: domains learn from their traffic by the policy they have.

Besides, the traffic is put on disk now and then, so that a crash forgets minutes, not weeks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.appliance.core import Core
from engine.appliance.made_for import name_of
from engine.appliance.stack import Stack
from engine.errors import Conflict, HmiError
from engine.knowledge.traffic import Recent
from engine.schema import JobAccepted, RebuildRequest, UpdatePolicy
from store.errors import StoreError
from store.rows import DomainRow

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_SAVE_EVERY_S = 300.0

Start = Callable[[str, RebuildRequest], JobAccepted]


class UpdateWatch:
    """Looks at every domain now and then. `start` once, `stop` once."""

    def __init__(
        self, core: Core, rebuild: Start, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rebuild` submits a job, and raises Conflict where one waits or runs already."""
        self._core = core
        self._rebuild = rebuild
        self._clock = clock
        self._tried: dict[tuple[str, str], float] = {}
        self._saved = clock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._stopped.set()
        self._thread.join(timeout)

    def look(self) -> list[str]:
        """Start the rebuilds that are due; the domains they are of."""
        idle = self._core.idleness.idle()
        started = []
        for stack in self._core.stacks():
            for row in self._core.catalogue.domains.all(stack.sha256):
                traffic = stack.tree.traffic.get(row.name)
                policy = policy_of(row)
                if traffic is None or not due(policy, traffic.recent, idle=idle):
                    continue
                tried = self._tried.get((row.name, row.backbone), float("-inf"))
                if self._clock() - tried < policy.cooldown_s:
                    continue
                if self._start(stack, row, traffic.recent):
                    started.append(row.name)
        return started

    def _start(self, stack: Stack, row: DomainRow, recent: Recent) -> bool:
        further = stack in self._core.backbones.loaded()[1:]
        backbone = name_of(self._core, stack.sha256) if further else None
        choice = {"kind": stack.kind, "backbone": backbone}
        request = last_request(row).model_copy(update=choice)
        try:
            job = self._rebuild(row.name, request)
        except Conflict:
            return False
        except (HmiError, StoreError) as error:
            log.warning("domain %s is due for an update, but: %s", row.name, error)
            self._tried[row.name, row.backbone] = self._clock()
            return False
        self._tried[row.name, row.backbone] = self._clock()
        log.info(
            "domain %s learns from its traffic: %d lookups, %.0f%% missed; job %s",
            row.name,
            recent.lookups,
            100 * recent.miss_rate,
            job.id,
        )
        return True

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_S):
            try:
                self.look()
                if self._clock() - self._saved >= _SAVE_EVERY_S:
                    self._saved = self._clock()
                    self._core.usage.save()
                    for stack in self._core.stacks():
                        stack.save()
            except Exception:
                # Nothing of the kind is foreseen; the next look still has a chance.
                log.exception("looking for domains to update failed")


def due(policy: UpdatePolicy, recent: Recent, *, idle: bool) -> bool:
    """Whether a domain with `recent` lookups is to learn from them now, cool-down apart."""
    if recent.lookups < policy.min_lookups or recent.misses == 0:
        return False
    if policy.update == "miss_rate":
        return recent.miss_rate > policy.miss_rate
    return policy.update == "idle" and idle


def policy_of(row: DomainRow) -> UpdatePolicy:
    return UpdatePolicy.model_validate(row.policy)


def last_request(row: DomainRow) -> RebuildRequest:
    """A rebuild as the last one was, but for the training of its encoder, which takes its time."""
    fields = RebuildRequest.model_fields
    known = {name: value for name, value in row.params.items() if name in fields}
    return RebuildRequest.model_validate(known | {"train_minutes": 0.0})
