"""The last line: the keys that matter most here, and whether the application only looks on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Footer, Label


class KeyBar(Footer):
    """A footer with a sign at its right that stays while --read-only holds."""

    DEFAULT_CSS = """
    KeyBar > #read-only { dock: right; width: auto; padding: 0 1; color: $warning;
                          text-style: bold reverse; }
    """

    def __init__(self, *, read_only: bool) -> None:
        super().__init__(show_command_palette=False)
        self.read_only = read_only

    def compose(self) -> ComposeResult:
        yield from super().compose()
        if self.read_only:
            yield Label("READ-ONLY", id="read-only")
