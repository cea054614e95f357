"""From one mode to another with something in hand: a vPLM to train, a job to follow."""

from __future__ import annotations

from textual.app import App

from engine.schema import Adapter
from hmi_tui.commands import Command
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.playground import PlaygroundScreen


class Journeys(App[None]):
    """The ways between the modes of an application."""

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
