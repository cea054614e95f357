"""The appliance: one engine with all its calls, as the API offers them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.appliance.activity import ActivityCalls
from engine.appliance.backbones import BackboneCalls
from engine.appliance.core import Core
from engine.appliance.datasets import DatasetCalls
from engine.appliance.generating import GenerationCalls
from engine.appliance.hub import HubCalls
from engine.appliance.in_use import queue_of, tiers_of
from engine.appliance.inference import InferenceCalls
from engine.appliance.opening import Opening
from engine.appliance.serving_stack import ServingStack
from engine.appliance.starters import StarterCalls
from engine.appliance.status import StatusCalls, loaded_of
from engine.appliance.storage import StorageCalls
from engine.appliance.tenants import TenantCalls
from engine.appliance.trainings import Trainings
from engine.appliance.updates import UpdateWatch
from engine.appliance.versions import VersionCalls
from engine.appliance.watchdog import Watchdog
from engine.config import Settings
from engine.telemetry.events import EventLog
from engine.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class Appliance(
    TenantCalls,
    HubCalls,
    StorageCalls,
    DatasetCalls,
    VersionCalls,
    StarterCalls,
    BackboneCalls,
    InferenceCalls,
    GenerationCalls,
    StatusCalls,
    ActivityCalls,
):
    """All calls block and are thread-safe, but for `classify`, which awaits.

    They raise HmiError or StoreError; before `start` has finished, Unavailable with the reason.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.events = EventLog()
        self.metrics = Metrics()
        self.on_beat: Callable[[], None] = lambda: None
        """Called every second while the compute loop works."""
        self.on_hung: Callable[[str], None] = lambda _why: None
        """Called once, with the reason, when it does not."""
        self._hung = ""
        self._watchdog: Watchdog | None = None
        self._updates: UpdateWatch | None = None
        self._trainings: Trainings | None = None

    @property
    def ready(self) -> bool:
        return self._open is not None and not self._hung

    @property
    def reasons(self) -> list[str]:
        """Why it is not ready."""
        return [] if self.ready else [self._hung or self._phase]

    def start(self) -> None:
        """Open the store, load the backbone and begin to serve; raises what stands in the way."""
        opening = Opening()

        def phase(what: str) -> None:
            self._phase = what
            opening.begin(what)

        core = Core(self.settings, self.events, self.metrics, phase)
        self._trainings = Trainings(core)
        core.jobs.start(self._trainings.again)
        self._open = core
        self._watch(core)
        self._updates = UpdateWatch(core, self.rebuild_domain)
        self._updates.start()
        log.info("the start took: %s", opening.account())
        self.events.emit("engine", {"state": "ready"})

    def _watch(self, core: Core) -> None:
        if self.settings.watchdog_s:
            self._watchdog = self._watched(core.stack, lambda: self.on_beat())
            core.watch = lambda stack: self._watched(stack, lambda: None).stop

    def _watched(self, stack: ServingStack, on_beat: Callable[[], None]) -> Watchdog:
        watchdog = Watchdog(
            stack.pipeline.pulse,
            lambda: stack.queue.size()[0],
            stack.pipeline.dead,
            self.settings.watchdog_s,
            on_beat,
            self._tell_hung,
        )
        watchdog.start()
        return watchdog

    def _stop_watching(self) -> None:
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.stop()

    def _tell_hung(self, why: str) -> None:
        self._hung = why
        self.events.emit("engine", {"state": "hung", "reason": why})
        self.on_hung(why)

    def refuse_waiting(self) -> None:
        """The engine is to end: what waits for a batch is refused, with 503."""
        self._stop_watching()
        if self._open is not None:
            self._open.backbones.refuse_waiting()

    def close(self) -> None:
        """Stop serving and let go of everything. Nothing happens if it never started."""
        self._stop_watching()
        updates, self._updates = self._updates, None
        if updates is not None:
            updates.stop()
        core, self._open, self._phase = self._open, None, "stopping"
        if core is not None:
            core.close()
            trainings, self._trainings = self._trainings, None
            if trainings is not None:
                trainings.close()

    def render_metrics(self) -> bytes:
        """The Prometheus exposition."""
        core = self._core
        return self.metrics.render(queue_of(core), tiers_of(core), loaded_of(core))
