"""What there is to say of one slot of the device."""

from __future__ import annotations

from engine.schema import Slot
from hmi_tui import figures
from hmi_tui.timeline.heat import heat_said
from hmi_tui.widgets.fact_list import Fact


def slot_facts(slot: Slot) -> list[Fact]:
    """Which adapter is in it, whose that is, and how much it is asked for."""
    if slot.adapter is None:
        return [("adapter", "none: the slot is free, or being filled just now")]
    more = slot.users - len(slot.vplms)
    users = [*slot.vplms, *([f"and {figures.count(more)} more"] if more > 0 else [])]
    asked = f"{heat_said(slot.heat)}; what is coldest leaves first"
    if not slot.heat:
        asked = "no batch asked for it since it came"
    return [
        ("adapter", slot.adapter),
        ("vPLMs", "\n".join(users) or "none any more"),
        ("asked for", asked),
        ("pinned", "yes, it stays until unpinned" if slot.pinned else "no"),
        ("in a batch", "yes, just now" if slot.held else "no"),
    ]
