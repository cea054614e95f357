"""A trace as files: for a trace viewer, and as a picture."""

from __future__ import annotations

from pathlib import Path

from engine.client import HmiError
from engine.schema import Trace
from hmi_tui.timeline.lanes import bars
from hmi_tui.timeline.svg import draw

VIEWER = "https://ui.perfetto.dev"


def write_trace(trace: Trace, file: Path, svg: Path | None = None) -> None:
    """Write the trace to `file`, and some of its batches as lanes to `svg`. HmiError."""
    _write(file, trace.json_text())
    if svg is not None:
        _write(svg, draw(bars(trace.events)))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HmiError(
            f"{path} cannot be written: {error.strerror}.", remedy="Name another file."
        ) from error
