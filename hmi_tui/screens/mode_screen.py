"""What every mode has in common: the bars around it and what it is told at each tick."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from engine.client import AsyncClient, Call, calls
from hmi_tui.keys import Named
from hmi_tui.read_only import destination
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.banner import Banner
from hmi_tui.widgets.key_bar import KeyBar
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from hmi_tui.app import HmiApp


class ModeScreen(Named, Screen[None]):
    """A mode. Subclasses give `body`, and take each snapshot in `see`."""

    MODE: ClassVar[str] = ""
    ABOUT: ClassVar[str] = ""
    """One or two sentences for the help."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012

    @property
    def hmi(self) -> HmiApp:
        return cast("HmiApp", self.app)

    @property
    def client(self) -> AsyncClient:
        return self.hmi.feed.client

    def body(self) -> Iterable[Widget]:
        """The widgets between banner and footer."""
        return ()

    def compose(self) -> ComposeResult:
        yield TopBar(self.MODE)
        yield Banner()
        yield from self.body()
        yield KeyBar(read_only=self.hmi.read_only)

    def take(self, snapshot: Snapshot, age: float) -> None:
        """Show a snapshot, in the bars and in the body."""
        self.query_one(TopBar).snapshot = snapshot
        self.query_one(Banner).tell(snapshot, age, self.hmi.how_to_start)
        for listing in self.query(Listing):
            listing.say_age()
        self.see(snapshot)

    def age(self, snapshot: Snapshot, age: float) -> None:
        """Between snapshots: only say how old the last one is."""
        for banner in self.query(Banner):  # there is none any more while the application closes
            banner.tell(snapshot, age, self.hmi.how_to_start)

    def see(self, snapshot: Snapshot) -> None:
        """Show the snapshot in the body."""

    async def look(self, client: AsyncClient) -> object:
        """Read what this mode needs besides the status; arrives as Snapshot.detail."""
        del client  # most modes need no more
        return None

    def call(self) -> Call[Any]:
        """The API call behind what is on the screen; the status is behind every mode."""
        return calls.status()

    def own_keys(self) -> list[tuple[str, str]]:
        """This mode's keys, for the help: its actions, then what its lists sort by."""
        actions = [
            b
            for b in self.BINDINGS
            if isinstance(b, Binding) and not self.hmi.forbids(self, destination(b.action)[1])
        ]
        keys = [(self.hmi.key_of(b), b.tooltip or b.description) for b in actions]
        for listing in self.query(Listing):
            keys += [
                (column.key, f"Sort {listing.title} by {column.title}; again reverses")
                for column in listing.table.columns
                if column.key
            ]
        return keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self.hmi.forbids(self, action) and super().check_action(action, parameters)

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self.hmi.show_latest()
