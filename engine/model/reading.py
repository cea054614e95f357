"""Texts as the backbone reads them: token ids within its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.backbone import Backbone


@dataclass(frozen=True, slots=True)
class Reading:
    """`ids` with the special tokens; `cut` if the text had more than the backbone reads."""

    ids: list[int]
    cut: bool


def read_texts(backbone: Backbone, texts: Sequence[str]) -> list[Reading]:
    """Each text by itself."""
    return [Reading(*backbone.cut(ids)) for ids in backbone.tokenize(texts)]
