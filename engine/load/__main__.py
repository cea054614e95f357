"""`python -m engine.load`: what `hmi load` runs."""

from __future__ import annotations

from engine.load.command import load

if __name__ == "__main__":
    load(prog_name="hmi load", auto_envvar_prefix="HMI_LOAD")
