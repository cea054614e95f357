"""The application: six modes over one feed of snapshots. The engine goes on when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from engine.client import AsyncClient, EngineNotRunning, HmiError, Paths, assets_dir
from engine.schema import Adapter, Job
from hmi_tui.commands import Command, HmiCommands
from hmi_tui.feed import Feed
from hmi_tui.screens.adapters import AdaptersScreen
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.domains import DomainsScreen
from hmi_tui.screens.help import Help
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.overview import OverviewScreen
from hmi_tui.screens.playground import PlaygroundScreen
from hmi_tui.screens.tenants import TenantsScreen
from hmi_tui.themes import THEMES

TICK = 0.5
"""Seconds between two reads of the engine's state."""

Progress = Callable[[str], None]
Starter = Callable[[Progress], object]
"""Starts the engine and returns when it is ready; blocks, and raises HmiError if it cannot."""


def _trainer() -> Screen[None]:
    """Imported when it is first opened: its plots bring numpy, which the first paint need not."""
    from hmi_tui.screens.trainer import TrainerScreen

    return TrainerScreen()


class HmiApp(App[None]):
    """Shows and steers the engine at `paths`. `client` and `starter` may be given by tests."""

    TITLE = "hmi"
    CSS_PATH = assets_dir() / "styles" / "app.tcss"
    COMMANDS = {HmiCommands}  # noqa: RUF012
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "overview": OverviewScreen,
        "tenants": TenantsScreen,
        "domains": DomainsScreen,
        "adapters": AdaptersScreen,
        "trainer": _trainer,
        "playground": PlaygroundScreen,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"open('{mode}')", f"Go to {mode}", show=False)
            for number, mode in enumerate(MODES, 1)
        ),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("ctrl+p", "command_palette", "Commands"),
        Binding("ctrl+s", "start_engine", "Start the engine", show=False),
        Binding("q", "quit", "Quit"),
    ]

    class Ticked(Message):
        """A new snapshot is there. A newer one may take its place before it is seen."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, HmiApp.Ticked)

    def __init__(
        self,
        paths: Paths,
        *,
        client: AsyncClient | None = None,
        starter: Starter | None = None,
        tick: float = TICK,
        mode: str = "overview",
    ) -> None:
        super().__init__()
        self.paths = paths
        self.feed = Feed(client or AsyncClient(paths=paths))
        self.starter = starter
        self.tick = tick
        self.first_mode = mode
        self._fetching = False
        self._pid = 0
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES["mono" if self.no_color else "dark"].name

    async def on_mount(self) -> None:
        await self.switch_mode(self.first_mode)
        self.set_interval(self.tick, self._tick)
        self.run_worker(self._begin, group="begin")  # type: ignore[arg-type]

    async def _begin(self) -> None:
        """The first look; an engine is started if there is none."""
        await self._fetch()
        if self.feed.latest.link == "lost" and self.starter is not None:
            self.action_start_engine()

    async def on_unmount(self) -> None:
        await self.feed.client.close()

    # -- the feed --------------------------------------------------------------------------

    @property
    def mode_screen(self) -> ModeScreen | None:
        """The screen of the current mode, under any window that is open on it."""
        stack = self.screen_stack
        return stack[0] if stack and isinstance(stack[0], ModeScreen) else None

    def _tick(self) -> None:
        if not self._fetching:
            self.run_worker(self._fetch, group="feed")  # type: ignore[arg-type]
        elif self.mode_screen is not None and self.mode_screen.is_mounted:
            self.mode_screen.age(self.feed.latest, self.feed.age)

    async def _fetch(self) -> None:
        if self._fetching:
            return
        self._fetching = True
        try:
            before = self.feed.latest
            screen = self.mode_screen
            await self.feed.read(screen.look if screen is not None else None)
            self.post_message(self.Ticked())
            for job in await self.feed.ended(before):
                self._announce(job)
        finally:
            self._fetching = False

    def on_hmi_app_ticked(self) -> None:
        self.show_latest()
        status = self.feed.latest.status
        if status is not None and status.engine.pid != self._pid:
            if self._pid:
                self.notify("The engine was restarted; all is read anew.")
            self._pid = status.engine.pid

    def show_latest(self) -> None:
        """Give the newest snapshot to the visible mode; one under a window waits till it shuts."""
        screen = self.mode_screen
        if screen is not None and screen.is_mounted and screen is self.screen:
            screen.take(self.feed.latest, self.feed.age)

    def look_now(self) -> None:
        """Read the state at once, after something was changed."""
        self.run_worker(self._fetch, group="feed")  # type: ignore[arg-type]

    def _announce(self, job: Job) -> None:
        words = {"succeeded": "is done", "failed": "failed", "cancelled": "was cancelled"}
        what = "Training" if job.type == "train" else "Rebuild"
        text = f"{what} of {job.subject} {words[job.state]}. {job.error or job.message}"
        failed = job.state == "failed"
        self.notify(
            text.strip(),
            severity="error" if failed else "information",
            timeout=10,
            markup=False,
        )

    # -- the engine ------------------------------------------------------------------------

    def action_start_engine(self) -> None:
        if self.feed.latest.up:
            self.notify("The engine runs already.")
        elif self.starter is not None and self.feed.starting is None:
            self.feed.starting = "a new process"
            self.run_worker(self._start(self.starter), group="start")

    async def _start(self, starter: Starter) -> None:
        """Run the starter in a daemon thread, so that quitting need not wait for it."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish(error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work_through() -> None:
            error: Exception | None = None
            try:
                starter(partial(setattr, self.feed, "starting"))
            except (HmiError, OSError) as failed:
                error = failed
            if not loop.is_closed():
                loop.call_soon_threadsafe(finish, error)

        threading.Thread(target=work_through, name="engine-starter", daemon=True).start()
        try:
            await done
            self.feed.failure = None
        except HmiError as error:
            self.feed.failure = error
        except OSError as error:
            self.feed.failure = HmiError(str(error), remedy="hmi logs may say more.")
        finally:
            self.feed.starting = None
        await self._fetch()

    @work(group="stop")
    async def action_stop_engine(self) -> None:
        question = f"Stop the engine on {self.paths.socket}?"
        if await self.push_screen_wait(
            Confirm(question, "Clients get no answers until it runs again.", "Stop")
        ):
            with self.complaining():
                await self.feed.client.stop()
                self.notify("The engine is stopping.")

    # -- actions ---------------------------------------------------------------------------

    async def action_open(self, mode: str) -> None:
        await self.switch_mode(mode)

    async def train(self, vplm: str) -> None:
        """Go to the trainer and open its form for this vPLM."""
        await self.switch_mode("trainer")
        await self.screen.run_action(f"start({vplm!r})")

    async def start_from(self, adapter: Adapter) -> None:
        """Go to the tenants and open the form of a vPLM that starts from this adapter."""
        labels = ", ".join(adapter.label_names)
        await self.switch_mode("tenants")
        await self.screen.run_action(f"create_vplm({adapter.id!r}, {labels!r})")

    async def follow(self, job: str) -> None:
        """Go to the trainer, to this job."""
        await self.switch_mode("trainer")
        await self.screen.run_action(f"point_at({job!r})")

    async def try_out(self, vplm: str) -> None:
        """Go to the playground with this vPLM."""
        await self.switch_mode("playground")
        if isinstance(self.screen, PlaygroundScreen):
            await self.screen.use(vplm)

    async def perform(self, command: Command) -> None:
        """Run a command of the palette, in its mode."""
        if not command.mode:
            await self.run_action(command.action)
            return
        await self.switch_mode(command.mode)
        if isinstance(self.screen, ModeScreen):
            await self.screen.run_action(command.action)

    def action_use_theme(self, name: str) -> None:
        self.theme = THEMES[name].name

    def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, ModeScreen):
            self.push_screen(Help(screen.MODE.title(), screen.ABOUT, screen.own_keys()))

    def action_save_picture(self) -> None:
        path = self.save_screenshot()
        self.notify(f"Saved {path}", markup=False)

    @contextmanager
    def complaining(self) -> Iterator[None]:
        """Tell the operator of an HmiError, with its remedy, and go on."""
        try:
            yield
        except HmiError as error:
            text = f"{error.detail}\n{error.remedy}".strip()
            self.notify(text, title=error.title, severity="error", timeout=12, markup=False)
            if isinstance(error, EngineNotRunning):
                self.look_now()


def run(paths: Paths) -> None:
    """Open the application on the engine at `paths`; start one if none runs."""
    from hmi_tui.engine_process import ensure_engine

    HmiApp(paths, starter=lambda progress: ensure_engine(paths, progress=progress)).run()
