"""The last line: the keys that matter most here, and whether the application only looks on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Footer, Label
from textual.widgets._footer import FooterKey


class KeyBar(Footer):
    """A footer with a sign at its right that stays while --read-only holds.

    It makes its keys itself, anew whenever others are in force. Textual's own would bind each to
    the footer's reactive `compact`, whose list of watchers is never cleared while that stays as it
    is: with it all keys that ever were, some hundred KiB at each change of focus.
    """

    DEFAULT_CSS = """
    KeyBar > #read-only { dock: right; width: auto; padding: 0 1; color: $warning;
                          text-style: bold reverse; }
    """

    def __init__(self, *, read_only: bool) -> None:
        super().__init__(show_command_palette=False)
        self.read_only = read_only

    def compose(self) -> ComposeResult:
        if self._bindings_ready:
            yield from self._keys()
        if self.read_only:
            yield Label("READ-ONLY", id="read-only")

    def _keys(self) -> ComposeResult:
        """One for each action; where several keys do the same, the first."""
        first: dict[str, tuple[Binding, bool, str]] = {}
        for _, binding, enabled, tooltip in self.screen.active_bindings.values():
            if binding.show:
                first.setdefault(binding.action, (binding, enabled, tooltip))
        for binding, enabled, tooltip in first.values():
            yield FooterKey(
                binding.key,
                self.app.get_key_display(binding),
                binding.description,
                binding.action,
                disabled=not enabled,
                tooltip=tooltip or binding.description,
            )
