"""The command `hmi`. Importing it costs little: commands import what they need when they run."""

from __future__ import annotations


def main() -> None:
    """The console script."""
    try:
        from hmi_tui.cli.root import hmi

        hmi(prog_name="hmi", auto_envvar_prefix="HMI")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
