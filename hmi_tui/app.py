"""The application: its modes over one feed of snapshots. The engine goes on when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from textual import work
from textual.actions import ActionParseResult
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen

from engine.client import AsyncClient, EngineNotRunning, HmiError, Paths, assets_dir, curl
from engine.schema import Adapter, Job
from hmi_tui.commands import Command, HmiCommands
from hmi_tui.config_file import ConfigFile
from hmi_tui.feed import Feed
from hmi_tui.keys import Named, around, chosen_keys, own_bindings, places
from hmi_tui.read_only import REFUSAL, changes, destination, is_changing
from hmi_tui.screens.adapters import AdaptersScreen
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.domains import DomainsScreen
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.help import Help
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.overview import OverviewScreen
from hmi_tui.screens.pipeline import PipelineScreen
from hmi_tui.screens.playground import PlaygroundScreen
from hmi_tui.screens.tenants import TenantsScreen
from hmi_tui.themes import THEMES

TOLD = 4
"""Complaints about config.toml that are told one by one."""

TICK = 0.5
"""Seconds between two reads of the engine's state."""

Progress = Callable[[str], None]
Starter = Callable[[Progress], object]
"""Starts the engine and returns when it is ready; blocks, and raises HmiError if it cannot."""


def _trainer() -> Screen[None]:
    """Imported when it is first opened: its plots bring numpy, which the first paint need not."""
    from hmi_tui.screens.trainer import TrainerScreen

    return TrainerScreen()


def _load() -> Screen[None]:
    from hmi_tui.screens.load import LoadScreen

    return LoadScreen()


def _logs() -> Screen[None]:
    from hmi_tui.screens.logs import LogsScreen

    return LogsScreen()


class HmiApp(Named, App[None]):
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
        "pipeline": PipelineScreen,
        "load": _load,
        "logs": _logs,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"open('{mode}')", f"Go to {mode}", show=False)
            for number, mode in enumerate(MODES, 1)
        ),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("ctrl+p", "command_palette", "Commands"),
        Binding("ctrl+u", "show_call", "API call", show=False),
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
        read_only: bool = False,
    ) -> None:
        super().__init__()
        self.paths = paths
        self.feed = Feed(client or AsyncClient(paths=paths, read_only=read_only))
        self.starter = None if read_only else starter
        self.read_only = read_only
        self.tick = tick
        self.first_mode = mode
        self.chosen_keys: dict[str, str] = {}
        """From config.toml, by the action's name."""
        self._fetching = False
        self._pid = 0
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES["mono" if self.no_color else "dark"].name

    async def on_mount(self) -> None:
        await self.switch_mode(self.first_mode)
        self.set_interval(self.tick, self._tick)
        if self.read_only:
            self.notify("Read-only: everything can be looked at, nothing changed.")
        self.run_worker(self._begin, group="begin")  # type: ignore[arg-type]
        self.call_after_refresh(self._choose_keys)

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

    @property
    def how_to_start(self) -> str:
        """What the banner advises where no engine runs."""
        if self.read_only:
            return "hmi serve starts one."
        return f"{self.chosen_keys.get('start_engine', 'ctrl+s')} starts it."

    @changes
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

    # -- actions ---------------------------------------------------------------------------

    def forbids(self, owner: object, name: str) -> bool:
        """Whether this action is one that --read-only refuses."""
        return self.read_only and is_changing(owner, name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self.forbids(self, action) and super().check_action(action, parameters)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; with --read-only one that changes something is answered with words."""
        whose, name = destination(action) if isinstance(action, str) else action[:2]
        here = self if default_namespace is None else default_namespace
        if self.forbids({"app": self, "screen": self.screen}.get(whose, here), name):
            self.notify(REFUSAL, severity="warning")
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def mode_class(self, mode: str) -> type[Screen[Any]]:
        """The class of a mode's screen; a mode that is imported late is imported now."""
        made = self.MODES[mode]
        assert not isinstance(made, str)
        return made if isinstance(made, type) else type(made())

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

    def offers(self, command: Command) -> bool:
        """Whether the palette has this command; not what --read-only refuses."""
        owner = self.mode_class(command.mode) if self.read_only and command.mode else self
        return not self.forbids(owner, destination(command.action)[1])

    def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, ModeScreen):
            bound = [*own_bindings(type(screen)), *around()]
            chosen = {str(one.id): self.key_of(one) for one in bound if one.id in self.chosen_keys}
            names = list(dict.fromkeys(str(one.id) for one in bound))
            keys = screen.own_keys()
            title = screen.MODE.title()
            self.push_screen(Help(title, screen.ABOUT, keys, chosen, names, self.paths.config))

    def action_show_call(self) -> None:
        """Show how a program would ask for what is on the screen."""
        screen = self.screen
        if isinstance(screen, ModeScreen):
            line = curl(screen.call(), self.paths.socket)
            facts = [("shows", f"{screen.MODE}; /openapi.json describes all calls")]
            self.push_screen(Facts("API call", facts, line))

    def _choose_keys(self) -> None:
        """Take over the keys of config.toml. Comes after the first paint: it imports all modes."""
        file = ConfigFile.read(self.paths.config)
        if not file.text and file.broken is None:
            return
        modes = {mode: self.mode_class(mode) for mode in self.MODES}
        self.chosen_keys, wrong = chosen_keys(file, places(modes))
        self.set_keymap(self.chosen_keys)
        for complaint in wrong[:TOLD]:
            self.notify(
                str(complaint), title="Config", severity="warning", timeout=20, markup=False
            )
        if len(wrong) > TOLD:
            self.notify(f"{len(wrong) - TOLD} more of its lines cannot be used.", title="Config")

    def key_of(self, binding: Binding) -> str:
        """The key in force for an action, as the help and the banner show it."""
        keys = self.chosen_keys.get(str(binding.id), "")
        if not keys:
            return self.get_key_display(binding)
        return ", ".join(
            self.get_key_display(binding.with_key(key=key, key_display=None))
            for key in keys.split(",")
        )

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


def run(paths: Paths, *, read_only: bool = False) -> None:
    """Open the application on the engine at `paths`; start one if none runs.

    With `read_only` nothing is started or changed.
    """
    from hmi_tui.engine_process import ensure_engine

    def starter(progress: Progress) -> object:
        return ensure_engine(paths, progress=progress)

    HmiApp(paths, starter=starter, read_only=read_only).run()
