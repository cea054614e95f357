"""`hmi stop`: end the engine."""

from __future__ import annotations

import click

from hmi_tui.cli.grammar import Leaf, current_paths, flag, say


@click.command(cls=Leaf)
@flag("--timeout", type=float, default=15.0, show_default=True, help="Seconds to wait for its end.")
def stop(timeout: float) -> None:
    """End the engine cleanly and wait until it has."""
    from hmi_tui.engine_process import stop_engine

    stop_engine(current_paths(), timeout)
    say("The engine has ended.")
