"""The last line: the keys that matter most here, and whether the application only looks on."""

from __future__ import annotations

from typing import Any, NamedTuple

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer, Label
from textual.widgets._footer import FooterKey


class Key(NamedTuple):
    """What is shown of one."""

    key: str
    display: str
    description: str
    action: str
    enabled: bool
    tooltip: str


class KeyBar(Footer):
    """A footer with a sign at its right that stays while --read-only holds.

    It makes its keys itself, anew only where others are in force than it shows: styling them is
    much of what a step to another widget would cost. Textual's own would bind each to the footer's
    reactive `compact`, whose list of watchers is never cleared while that stays as it is: with it
    all keys that ever were, some hundred KiB at each change of focus.
    """

    DEFAULT_CSS = """
    KeyBar > #read-only { dock: right; width: auto; padding: 0 1; color: $warning;
                          text-style: bold reverse; }
    """

    def __init__(self, *, read_only: bool) -> None:
        super().__init__(show_command_palette=False)
        self.read_only = read_only
        self._shown: tuple[Key, ...] = ()

    def compose(self) -> ComposeResult:
        self._shown = self._in_force() if self._bindings_ready else ()
        for key in self._shown:
            yield FooterKey(
                key.key,
                key.display,
                key.description,
                key.action,
                disabled=not key.enabled,
                tooltip=key.tooltip,
            )
        if self.read_only:
            yield Label("READ-ONLY", id="read-only")

    def bindings_changed(self, screen: Screen[Any]) -> None:
        self._bindings_ready = True
        if self.app.app_focus and self.is_attached and screen is self.screen:
            self.call_after_refresh(self._renew)

    async def _renew(self) -> None:
        if self.is_attached and self._in_force() != self._shown:
            await self.recompose()

    def _in_force(self) -> tuple[Key, ...]:
        """One for each action; where several keys do the same, the first."""
        first: dict[str, Key] = {}
        for _, binding, enabled, tooltip in self.screen.active_bindings.values():
            if binding.show and binding.action not in first:
                first[binding.action] = Key(
                    binding.key,
                    self.app.get_key_display(binding),
                    binding.description,
                    binding.action,
                    enabled,
                    tooltip or binding.description,
                )
        return tuple(first.values())
