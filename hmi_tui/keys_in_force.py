"""The keys that work: the usual ones, with those of config.toml in their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.screen import Screen

from hmi_tui.config_file import ConfigFile
from hmi_tui.hints import with_keys
from hmi_tui.keys import chosen_keys, places

TOLD = 4
"""Complaints about config.toml that are told one by one."""


class KeysInForce(App[None]):
    """What an application knows of the keys that its operator chose."""

    chosen_keys: Mapping[str, str] = {}
    """From config.toml, by the action's name."""

    def choose_keys(self, config: Path, modes: Mapping[str, type[Screen[Any]]]) -> None:
        """Take over the keys of the file `config`, and say what of it cannot be used."""
        self.chosen_keys, wrong = chosen_keys(ConfigFile.read(config), places(modes))
        self.set_keymap(dict(self.chosen_keys))
        for widget in self.screen.walk_children():
            widget.refresh(layout=True)  # texts that name keys
        for complaint in wrong[:TOLD]:
            self.notify(
                str(complaint), title="Config", severity="warning", timeout=20, markup=False
            )
        if len(wrong) > TOLD:
            self.notify(f"{len(wrong) - TOLD} more of its lines cannot be used.", title="Config")

    def notify(self, message: str, **how: Any) -> None:
        """As textual's, with the keys in force."""
        super().notify(with_keys(message, self.chosen_keys), **how)

    def key_of(self, binding: Binding) -> str:
        """The key in force for an action, as the help and the banner show it."""
        keys = self.chosen_keys.get(str(binding.id), "")
        if not keys:
            return self.get_key_display(binding)
        return ", ".join(
            self.get_key_display(binding.with_key(key=key, key_display=None))
            for key in keys.split(",")
        )
