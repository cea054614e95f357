"""Which labels of a file are to be called otherwise, as command line and form say it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import BadInput


def label_map(pairs: Iterable[str]) -> dict[str, str]:
    """Old labels with their new names, of OLD=NEW; BadInput for anything else."""
    found: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new) or found.get(old, new) != new:
            raise BadInput(
                f"{pair!r} does not say what which label is to become.",
                remedy="Write OLD=NEW, each OLD once: 0=negative.",
            )
        found[old] = new
    return found
