"""The appliance: one engine with all its calls, as the API offers them."""

from __future__ import annotations

import gc
import logging

from engine.appliance.activity import ActivityCalls
from engine.appliance.backbones import BackboneCalls
from engine.appliance.core import Core
from engine.appliance.datasets import DatasetCalls
from engine.appliance.hub import HubCalls
from engine.appliance.inference import InferenceCalls
from engine.appliance.opening import Opening
from engine.appliance.starters import StarterCalls
from engine.appliance.status import StatusCalls, queue_of, tiers_of
from engine.appliance.storage import StorageCalls
from engine.appliance.tenants import TenantCalls
from engine.appliance.trainings import Trainings
from engine.appliance.updates import UpdateWatch
from engine.appliance.versions import VersionCalls
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
        self._updates: UpdateWatch | None = None
        self._trainings: Trainings | None = None

    @property
    def ready(self) -> bool:
        return self._open is not None

    @property
    def reasons(self) -> list[str]:
        """Why it is not ready."""
        return [] if self.ready else [self._phase]

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
        self._updates = UpdateWatch(core, self.rebuild_domain)
        self._updates.start()
        log.info("the start took: %s", opening.account())
        # What has been loaded stays; the collector need not look at it again.
        gc.freeze()
        self.events.emit("engine", {"state": "ready"})

    def close(self) -> None:
        """Stop serving and let go of everything. Nothing happens if it never started."""
        updates, self._updates = self._updates, None
        if updates is not None:
            updates.stop()
        core, self._open, self._phase = self._open, None, "stopping"
        if core is not None:
            core.close()
            trainings, self._trainings = self._trainings, None
            if trainings is not None:
                trainings.close()
            gc.unfreeze()

    def render_metrics(self) -> bytes:
        """The Prometheus exposition."""
        core = self._core
        return self.metrics.render(queue_of(core), tiers_of(core))
