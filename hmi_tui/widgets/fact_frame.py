"""A frame around facts that scrolls; its title names what they are about."""

from __future__ import annotations

from textual.containers import VerticalScroll

from hmi_tui.widgets.still_frame import StillFrame


class FactFrame(VerticalScroll, StillFrame, can_focus=False):
    """Told another title at every step of a list's cursor, it draws that line and no more.

    VerticalScroll comes first: styles are inherited from the first base alone.
    """
