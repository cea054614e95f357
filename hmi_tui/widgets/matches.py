"""Text with what is sought marked in it."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style


def marked(text: str, sought: str, style: Style, match: Style) -> list[Segment]:
    """`text` in `style`, each place that has `sought`, in letters of any size, in `match`."""
    if not sought:
        return [Segment(text, style)]
    lowered, wanted = text.lower(), sought.lower()
    segments, at = [], 0
    while (found := lowered.find(wanted, at)) >= 0:
        end = found + len(sought)
        segments += [Segment(text[at:found], style), Segment(text[found:end], match)]
        at = end
    return [*segments, Segment(text[at:], style)]
