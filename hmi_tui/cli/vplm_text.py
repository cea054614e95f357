"""vPLMs in print: a line each, or all that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hmi_tui.cli.output import instant, table
from hmi_tui.figures import NOTHING, held_out, share, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.schema import Vplm


def vplm_table(vplms: Sequence[Vplm]) -> str:
    heads = (
        "VPLM",
        "TASK",
        "BACKBONE",
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
                one.backbone or NOTHING,
                one.domain,
                str(len(one.labels)),
                one.mode,
                str(one.rank),
                one.tier + (" pinned" if one.pinned else ""),
                str(one.version),
                held_out(one.accuracy, one.perplexity),
                size(one.stored_bytes),
            )
            for one in vplms
        ),
    )


def _backbone(one: Vplm) -> str:
    if not one.backbone_sha256 or one.backbone_sha256.startswith(one.backbone):
        return f"{one.backbone}, which is not here" if one.backbone else NOTHING
    return f"{one.backbone} ({one.backbone_sha256[:12]})"


def _stored(one: Vplm) -> str:
    """Beside a model of its own: of this backbone, and of BERT-base's shape."""
    told = size(one.stored_bytes)
    if one.dedicated_bytes:
        told = f"{told}, {_share(one, one.dedicated_bytes, 'a private copy')}"
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
        ("backbone", _backbone(one)),
        ("domain", one.domain),
        ("labels", ", ".join(one.labels)),
        ("mode", one.mode),
        ("on a miss", one.miss or "as the engine"),
        ("rank", str(one.rank)),
        ("places", ", ".join(one.places) or NOTHING),
        ("adapter", one.adapter),
        ("version", str(one.version)),
        ("accuracy", held_out(one.accuracy, one.perplexity)),
        ("tier", one.tier + (", pinned" if one.pinned else "")),
        ("stored", _stored(one)),
        ("requests", str(one.requests)),
        ("created", instant(one.created_at)),
    ]
