"""The form that saves a trace to a file."""

from __future__ import annotations

import asyncio
import time

from engine.client import AsyncClient, BadInput
from hmi_tui.screens.form import Form, Values
from hmi_tui.timeline.files import VIEWER, write_trace
from hmi_tui.typed_files import new_file
from hmi_tui.widgets.field import Field

LONGEST_S = 3600


def trace_form(client: AsyncClient, seconds: float = 30.0) -> Form:
    """Asks for a file, how far back, and whether to draw some batches beside it as an SVG."""
    name = time.strftime("hmi-trace-%Y%m%d-%H%M%S.json")
    fields = (
        Field("file", "File", name, kind="file"),
        Field("seconds", "Seconds back", f"{max(1.0, seconds):g}"),
        Field("picture", "Picture too", "no", kind="choice", options=("no", "yes")),
    )

    async def save(values: Values) -> str:
        file = new_file(values["file"], "trace.json")
        drawn = values["picture"] == "yes"
        svg = new_file(str(file.with_suffix(".svg")), "trace.svg") if drawn else None
        trace = await client.trace(_seconds(values["seconds"]))
        await asyncio.to_thread(write_trace, trace, file, svg)
        return f"Saved {file}. Open it in {VIEWER} (drag it in) or chrome://tracing."

    return Form("Save a trace", fields, save, "Save")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise BadInput(
            f"{text!r} is no number of seconds.", remedy=f"Give one up to {LONGEST_S}, such as 30."
        )
    return seconds
