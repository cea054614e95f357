"""The application's link to its engine: read at every tick, started, stopped, started again."""

from __future__ import annotations

from textual import work
from textual.message import Message

from engine.client import Paths
from hmi_tui.engine_start import Starter, start
from hmi_tui.feed import Feed
from hmi_tui.hints import hint
from hmi_tui.launch import Launch
from hmi_tui.read_only import Refusing, changes
from hmi_tui.revival import WITHIN_S, Revival
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.telling import Telling

SUPERVISED = "The engine died. Its supervisor is to start it again."


class Linked(Refusing, Telling):
    """Reads one snapshot after the other for the visible mode, and keeps the engine alive.

    Whoever uses it sets these, and calls `look_at_engine` from time to time.
    """

    paths: Paths
    feed: Feed
    starter: Starter | None
    """None where no engine is to be started."""
    revival: Revival

    _fetching = False
    _pid = 0

    class Ticked(Message):
        """A new snapshot is there. A newer one may take its place before it is seen."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Linked.Ticked)

    # -- the feed --------------------------------------------------------------------------

    @property
    def mode_screen(self) -> ModeScreen | None:
        """The screen of the current mode, under any window that is open on it."""
        stack = self.screen_stack
        return stack[0] if stack and isinstance(stack[0], ModeScreen) else None

    def look_at_engine(self) -> None:
        """Begin to read the engine's state, or say how old it is if that takes long."""
        if not self._fetching:
            self.look_now()
        elif self.mode_screen is not None and self.mode_screen.is_mounted:
            self.mode_screen.age(self.feed.latest, self.feed.age)

    def look_now(self) -> None:
        """Read the state at once, after something was changed."""
        self.run_worker(self.fetch, group="feed")  # type: ignore[arg-type]

    async def fetch(self) -> None:
        """Read the state; nothing happens while it is being read."""
        if self._fetching:
            return
        self._fetching = True
        try:
            before = self.feed.latest
            screen = self.mode_screen
            await self.feed.read(screen.look if screen is not None else None)
            self.post_message(self.Ticked())
            for job in await self.feed.ended(before):
                self.announce(job)
        finally:
            self._fetching = False

    def on_linked_ticked(self) -> None:
        self.show_latest()
        status = self.feed.latest.status
        if status is not None and status.engine.pid != self._pid:
            if self._pid:
                self.notify("The engine was restarted; all is read anew.")
            self._pid = status.engine.pid
            self.revival.seen(self._pid)
        if self.feed.latest.link == "lost":
            self._start_again_if_it_died()

    def show_latest(self) -> None:
        """Give the newest snapshot to the visible mode; one under a window waits till it shuts."""
        screen = self.mode_screen
        if screen is not None and screen.is_mounted and screen is self.screen:
            screen.take(self.feed.latest, self.feed.age)

    # -- the engine ------------------------------------------------------------------------

    @property
    def how_to_start(self) -> str:
        """What the banner advises where no engine runs."""
        if self.read_only:
            return "hmi serve starts one."
        return hint(self, "<start_engine:ctrl+s> starts it.")

    @changes
    def action_start_engine(self) -> None:
        if self.feed.latest.up:
            self.notify("The engine runs already.")
        elif self.starter is not None and self.feed.starting is None:
            self.feed.starting = "a new process"
            self._start(self.starter, self.revival.launch)

    @work(group="start")
    async def _start(self, starter: Starter, launch: Launch | None) -> None:
        await start(starter, launch, self.feed)
        await self.fetch()

    def _start_again_if_it_died(self) -> None:
        death = self.revival.death()
        if death is None:
            return
        if death.launch.supervised:
            self.feed.loss = SUPERVISED
        elif self.starter is None or self.feed.starting is not None:
            self.feed.loss = "The engine died."
        elif death.again:
            said = "The engine died and is started again, as it was. hmi logs may say why it died."
            self.notify(said, severity="warning", timeout=20)
            self.feed.starting = "a new process, as the one that died was"
            self._start(self.starter, death.launch)
        else:
            often = f"{death.times} times in {WITHIN_S / 60:.0f} minutes"
            self.feed.loss = f"The engine died {often}, and is left so: hmi logs may say why."

    @changes
    @work(group="stop")
    async def action_stop_engine(self) -> None:
        question = f"Stop the engine on {self.paths.socket}?"
        if await self.push_screen_wait(
            Confirm(question, "Clients get no answers until it runs again.", "Stop")
        ):
            with self.complaining():
                await self.feed.client.stop()
                self.notify("The engine is stopping.")
