"""Texts as the backbone reads them: token ids within its length, pairs and words marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.model.backbone import Backbone

Text = str | tuple[str, str]
"""A text, or two that are read together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`ids` with the special tokens; `cut` if the text had more than the backbone reads.

    `second` is where the second text begins, 0 if there is none. If words were asked for, `words`
    are the places of their first tokens and `offsets` the characters (start, end) they take.
    """

    ids: list[int]
    cut: bool
    second: int = 0
    words: tuple[int, ...] = ()
    offsets: tuple[tuple[int, int], ...] = ()


def read_texts(backbone: Backbone, texts: Sequence[Text]) -> list[Reading]:
    """Each text, or pair of texts, by itself: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]."""
    most = backbone.max_characters
    single = [text for text in texts if isinstance(text, str)]
    alone = iter(backbone.tokenize([text[:most] for text in single]))
    pairs = [(a[:most], b[:most]) for a, b in (text for text in texts if isinstance(text, tuple))]
    paired = iter(backbone.tokenize_fully(pairs))
    found: list[Reading] = []
    for text in texts:
        if isinstance(text, str):
            ids, cut = backbone.cut(next(alone))
            found.append(Reading(ids, cut or len(text) > most))
        else:
            found.append(_pair(next(paired), backbone.max_tokens, max(map(len, text)) > most))
    return found


def read_words(backbone: Backbone, texts: Sequence[str]) -> list[Reading]:
    """Each text with its words, as the tokenizer tells them apart: at spaces and punctuation."""
    most = backbone.max_characters
    encodings = backbone.tokenize_fully([text[:most] for text in texts])
    return [
        _worded(backbone, encoding, len(text) > most)
        for text, encoding in zip(texts, encodings, strict=True)
    ]


def _pair(encoding: Any, most: int, cut: bool) -> Reading:
    """Of two texts that are too long together, the longer gives way first."""
    second = encoding.type_ids.index(1)
    first, other = encoding.ids[:second], encoding.ids[second:]
    room = max(0, most - len(first)), max(0, most - len(other))
    half = most // 2
    if len(first) + len(other) > most:
        cut = True
        if len(first) <= half:
            other = _closed(other, room[0])
        elif len(other) <= most - half:
            first = _closed(first, room[1])
        else:
            first, other = _closed(first, half), _closed(other, most - half)
    return Reading(first + other, cut, len(first))


def _closed(ids: list[int], length: int) -> list[int]:
    """Its first tokens and the closing one."""
    return [*ids[: length - 1], ids[-1]]


def _worded(backbone: Backbone, encoding: Any, cut: bool) -> Reading:
    ids, shortened = backbone.cut(encoding.ids)
    words: list[int] = []
    offsets: list[tuple[int, int]] = []
    before: int | None = None
    inside = zip(encoding.word_ids[: len(ids)], encoding.offsets, strict=False)
    for place, (word, (start, end)) in enumerate(inside):
        if word is None or (shortened and place == len(ids) - 1):
            continue
        if word == before:
            offsets[-1] = (offsets[-1][0], end)
        else:
            words.append(place)
            offsets.append((start, end))
        before = word
    return Reading(ids, cut or shortened, 0, tuple(words), tuple(offsets))
