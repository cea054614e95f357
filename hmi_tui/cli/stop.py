"""`hmi stop`: end the engine."""

from __future__ import annotations

import click

from hmi_tui.cli.grammar import Leaf, current_paths, flag, say


@click.command(cls=Leaf)
@flag("--timeout", type=float, default=15.0, show_default=True, help="Seconds to wait for its end.")
@flag("--kill", is_flag=True, help="Kill it if it has not ended by then; no data is lost.")
def stop(timeout: float, kill: bool) -> None:
    """End the engine cleanly and wait until it has.

    One that was stopped stays stopped; one that dies by itself is started again, by its supervisor
    or by an open application.
    """
    from hmi_tui.engine_process import stop_engine

    stop_engine(current_paths(), timeout, kill=kill)
    say("The engine has ended.")
