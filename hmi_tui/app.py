"""The application: its modes over one feed of snapshots. The engine goes on when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import AwaitMount

from engine.client import AsyncClient, Paths, assets_dir, curl
from engine.schema import LoadRequest
from hmi_tui.commands import Command, HmiCommands
from hmi_tui.engine_start import Progress, Starter
from hmi_tui.feed import Feed
from hmi_tui.journeys import Journeys
from hmi_tui.keys import Named, around, own_bindings
from hmi_tui.keys_in_force import KeysInForce
from hmi_tui.launch import Launch
from hmi_tui.linked import Linked
from hmi_tui.read_only import GREETING, destination
from hmi_tui.revival import Revival
from hmi_tui.screens.by_mode import SCREENS, screen_class
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.help import Help
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.simulating import Simulating
from hmi_tui.terminal_driver import TerminalDriver
from hmi_tui.terminal_end import ended_with_terminal
from hmi_tui.themes import THEMES

TICK = 0.5
"""Seconds between two reads of the engine's state."""
SETTLED = 1.0
"""Seconds after which a mode that was opened for the first time has all that it needs."""


class HmiApp(Named, Journeys, Linked, Simulating, KeysInForce):
    """Shows and steers the engine at `paths`. `client` and `starter` may be given by tests.

    `settled` is called a moment after each mode was opened for the first time; `load` is put on
    the engine from the beginning.
    """

    TITLE = "hmi"
    CSS_PATH = assets_dir() / "styles" / "app.tcss"
    COMMANDS = {HmiCommands}  # noqa: RUF012
    MODES = SCREENS  # type: ignore[assignment]
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

    def __init__(
        self,
        paths: Paths,
        *,
        client: AsyncClient | None = None,
        starter: Starter | None = None,
        settled: Callable[[], object] | None = None,
        tick: float = TICK,
        mode: str = "overview",
        read_only: bool = False,
        load: LoadRequest | None = None,
    ) -> None:
        super().__init__(paths, driver_class=TerminalDriver)
        self.feed = Feed(client or AsyncClient(paths=paths, read_only=read_only))
        self.starter = None if read_only else starter
        self.revival = Revival(paths)
        self.read_only = read_only
        self.tick = tick
        self.first_mode = mode
        self._settled = settled
        self._first_load = load
        self._opened: set[str] = set()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES["mono" if self.no_color else "dark"].name

    async def on_mount(self) -> None:
        await self.switch_mode(self.first_mode)
        self.set_interval(self.tick, self.look_at_engine)
        if self.read_only:
            self.notify(GREETING)
        self.run_worker(self._begin, group="begin")  # type: ignore[arg-type]
        self.call_after_refresh(self._choose_keys)

    async def _begin(self) -> None:
        """The first look; an engine is started if there is none, and load if there is to be."""
        await self.fetch()
        if self.feed.latest.link == "lost" and self.starter is not None:
            self.action_start_engine()
        if self._first_load is not None:
            with self.complaining():
                self.simulation.start(self._first_load)

    async def on_unmount(self) -> None:
        self.simulation.close()
        await self.feed.client.close()

    # -- actions ---------------------------------------------------------------------------

    def switch_mode(self, mode: str) -> AwaitMount:
        """As textual's; a mode that is opened for the first time settles a moment later."""
        if mode not in self._opened and self._settled is not None:
            self.set_timer(SETTLED, self._settled)
        self._opened.add(mode)
        return super().switch_mode(mode)

    async def action_open(self, mode: str) -> None:
        await self.switch_mode(mode)

    def action_use_theme(self, name: str) -> None:
        self.theme = THEMES[name].name

    def offers(self, command: Command) -> bool:
        """Whether the palette has this command; not what --read-only refuses."""
        owner = screen_class(command.mode) if self.read_only and command.mode else self
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
        """Comes after the first paint: it imports all modes, unless there is no config.toml."""
        if self.paths.config.exists():
            self.choose_keys(self.paths.config, {mode: screen_class(mode) for mode in SCREENS})

    def action_save_picture(self) -> None:
        path = self.save_screenshot()
        self.notify(f"Saved {path}", markup=False)


def run(paths: Paths, *, read_only: bool = False, load: LoadRequest | None = None) -> None:
    """Open the application on the engine at `paths`; start one if none runs.

    With `read_only` nothing is started or changed; `load` is put on the engine at once. Raises
    SystemExit if a signal or the end of the terminal ended it.
    """
    from hmi_tui.collector import leave_settled_objects
    from hmi_tui.engine_process import ensure_engine

    def starter(launch: Launch | None, progress: Progress) -> object:
        return ensure_engine(paths, progress=progress, launch=launch)

    app = HmiApp(
        paths,
        starter=starter,
        settled=leave_settled_objects,
        read_only=read_only,
        load=load,
    )
    with ended_with_terminal(lambda code: app.exit(return_code=code)) as ending:
        app.run()
    if ending.signum:
        raise SystemExit(128 + ending.signum)
