"""`python -m hmi_tui.picture OUT.svg`: a picture of the application on a running engine.

`python -m hmi_tui.picture --all assets/pictures` writes one of every mode in both sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from engine.client import EngineNotRunning, HmiError, Paths
from hmi_tui.app import HmiApp
from hmi_tui.modes import MODE_TITLES
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.playground import PlaygroundScreen
from hmi_tui.themes import THEMES

SIZES = ((80, 24), (160, 50))
"""Of every mode: what works everywhere, and a wide screen."""

CONNECT_S = 20.0
POLL_S = 0.1


async def picture(
    paths: Paths,
    size: tuple[int, int],
    mode: str,
    *,
    seconds: float = 3.0,
    theme: str = "dark",
    text: str = "",
) -> str:
    """The SVG of `mode` on the engine at `paths`, after watching it for `seconds`.

    `size` is columns and rows; `text` is asked in the playground. EngineNotRunning if none runs.
    """
    app = HmiApp(paths, mode=mode)
    async with app.run_test(size=size) as pilot:
        app.action_use_theme(theme)
        await _until(
            lambda: app.feed.latest.ready and isinstance(app.screen, ModeScreen),
            f"No ready engine answers at {paths.socket}.",
        )
        screen = app.mode_screen
        if text and isinstance(screen, PlaygroundScreen):
            await _ask(screen, text)
        await asyncio.sleep(seconds)
        await pilot.pause()
        return app.export_screenshot(title=f"hmi · {MODE_TITLES[mode]}")


async def pictures(
    paths: Paths, folder: Path, *, seconds: float = 3.0, theme: str = "dark", text: str = ""
) -> list[Path]:
    """Write MODE-COLUMNSxROWS.svg of every mode in every size to `folder`; the files written.

    EngineNotRunning if no engine runs.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    written = []
    for mode in MODE_TITLES:
        for size in SIZES:
            svg = await picture(paths, size, mode, seconds=seconds, theme=theme, text=text)
            file = folder / f"{mode}-{size[0]}x{size[1]}.svg"
            file.write_text(svg, encoding="utf-8")
            written.append(file)
    return written


async def _until(true: Callable[[], bool], failure: str) -> None:
    """Wait for `true`; an engine's state is polled, so this polls too."""
    for _ in range(round(CONNECT_S / POLL_S)):
        if true():
            return
        await asyncio.sleep(POLL_S)
    raise EngineNotRunning(failure, remedy="Start it with hmi serve.")


async def _ask(screen: PlaygroundScreen, text: str) -> None:
    await _until(lambda: screen.vplm is not None, "The engine has no vPLM to ask.")
    screen.box.text = text
    screen.action_ask()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hmi_tui.picture", description=__doc__)
    parser.add_argument("out", type=Path, help="the SVG file to write, or with --all the folder")
    parser.add_argument("--all", action="store_true", help="every mode, at 80x24 and 160x50")
    parser.add_argument("--home", help="the engine's home; HMI_HOME if it is not given")
    parser.add_argument("--socket", help="the engine's socket; HMI_SOCKET if it is not given")
    parser.add_argument("--size", default="120x36", help="columns x rows")
    parser.add_argument("--mode", default="overview", choices=list(MODE_TITLES))
    parser.add_argument("--theme", default="dark", choices=list(THEMES))
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to watch first")
    parser.add_argument("--text", default="", help="what to ask in the playground")
    chosen = parser.parse_args()
    columns, rows = (int(part) for part in chosen.size.lower().split("x"))
    paths = Paths.find(chosen.home, chosen.socket)
    how = {"seconds": chosen.seconds, "theme": chosen.theme, "text": chosen.text}
    try:
        if chosen.all:
            for file in asyncio.run(pictures(paths, chosen.out, **how)):
                sys.stdout.write(f"{file}\n")
        else:
            svg = asyncio.run(picture(paths, (columns, rows), chosen.mode, **how))
            chosen.out.write_text(svg, encoding="utf-8")
    except HmiError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
