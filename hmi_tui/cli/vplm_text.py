"""vPLMs in print: a line each, or all that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hmi_tui.cli.output import instant, percent, table
from hmi_tui.figures import share, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.schema import Vplm


def vplm_table(vplms: Sequence[Vplm]) -> str:
    heads = (
        "VPLM",
        "TASK",
        "DOMAIN",
        ">LABELS",
        "MODE",
        ">RANK",
        "TIER",
        ">VERSION",
        ">ACCURACY",
        ">STORED",
    )
    return table(
        heads,
        (
            (
                one.id,
                one.task,
                one.domain,
                str(len(one.labels)),
                one.mode,
                str(one.rank),
                one.tier + (" pinned" if one.pinned else ""),
                str(one.version),
                percent(one.accuracy),
                size(one.stored_bytes),
            )
            for one in vplms
        ),
    )


def _stored(one: Vplm) -> str:
    """Beside a model of its own: of this backbone, and of BERT-base's shape."""
    told = f"{size(one.stored_bytes)}, {_share(one, one.dedicated_bytes, 'a private copy')}"
    if one.bert_base_bytes in (0, one.dedicated_bytes):
        return told
    return f"{told}, {_share(one, one.bert_base_bytes, 'a BERT-base')}"


def _share(one: Vplm, whole: int, what: str) -> str:
    return f"{share(one.stored_bytes / max(1, whole), 2)} of {what} ({size(whole)})"


def vplm_pairs(one: Vplm) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("kind", one.kind),
        ("task", one.task),
        ("domain", one.domain),
        ("labels", ", ".join(one.labels)),
        ("mode", one.mode),
        ("on a miss", one.miss or "as the engine"),
        ("rank", str(one.rank)),
        ("adapter", one.adapter),
        ("version", str(one.version)),
        ("accuracy", percent(one.accuracy)),
        ("tier", one.tier + (", pinned" if one.pinned else "")),
        ("stored", _stored(one)),
        ("requests", str(one.requests)),
        ("created", instant(one.created_at)),
    ]
