"""`python -m hmi_tui.cli`: the command `hmi` where the console script is not on the path."""

from __future__ import annotations

from hmi_tui.cli import main

if __name__ == "__main__":
    main()
