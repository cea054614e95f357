"""What a row of a dataset must have for each kind of task, and what it teaches.

classify, pair   a label
multilabel       labels: a list, or in CSV separated by |; none is allowed
tokens           spans {"start", "end", "label"} in a text; or a list of words and one of tags,
                 in CSV both separated by spaces
regression       a number, or as many in each row: a list, or in CSV separated by |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from engine.model.tagging import OUTSIDE, Tagging
from engine.serving.work import TaskName
from store.dataset_files import Example, Span, Target, Text

Fields = Mapping[str, object]
_BETWEEN = "|"


class _Fault(Exception):
    """What is wrong with a row, in words."""


class ExampleReader:
    """Reads rows of one dataset, whose columns are `text`, `label` and `pair`."""

    def __init__(self, task: TaskName, text: str, label: str, pair: str) -> None:
        self._task: TaskName = task
        self._text, self._label, self._pair = text, label, pair
        self._numbers: int | None = None
        """How many the first row of a regression has."""

    def read(self, row: Fields) -> Example | str:
        """The row's text and target, or what is wrong with it."""
        wanted = [self._text, self._label]
        if self._task == "pair":
            wanted.insert(1, self._pair)
        for column in wanted:
            if column not in row or row[column] is None:
                return f"no column {column!r} (columns: {', '.join(map(str, row)) or 'none'})"
        try:
            if self._task == "tokens":
                return self._spans(row[self._text], row[self._label])
            target: Target = self._target(row[self._label])
            return self._texts(row), target
        except _Fault as fault:
            return str(fault)

    def _target(self, value: object) -> Target:
        if self._task == "multilabel":
            return self._several(value)
        if self._task == "regression":
            return self._values(value)
        return self._one(value)

    def _texts(self, row: Fields) -> Text:
        first = _text(row[self._text], self._text)
        second = row.get(self._pair)
        takes_pairs = self._task in ("pair", "regression")
        if not takes_pairs or (self._task != "pair" and second is None):
            return first
        return first, _text(second, self._pair)

    def _one(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _Fault(f"column {self._label!r} is not a string or an integer")
        if not str(value).strip():
            raise _Fault(f"column {self._label!r} is empty")
        return str(value)

    def _several(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(_BETWEEN)] if value.strip() else []
        if not isinstance(value, list):
            raise _Fault(f"column {self._label!r} is not a list of labels")
        return tuple(dict.fromkeys(map(self._one, value)))

    def _values(self, value: object) -> tuple[float, ...]:
        parts: list[Any] = value if isinstance(value, list) else [value]
        if isinstance(value, str):
            parts = value.split(_BETWEEN)
        numbers = tuple(map(self._number, parts))
        if self._numbers is None:
            self._numbers = len(numbers)
        if not numbers or len(numbers) != self._numbers:
            raise _Fault(
                f"column {self._label!r} has {len(numbers)} numbers; the first row has "
                f"{self._numbers}"
            )
        return numbers

    def _number(self, value: object) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise _Fault(f"column {self._label!r} has {value!r}, which is not a finite number")
        return number

    def _spans(self, text: object, labels: object) -> Example:
        if isinstance(text, str) and not isinstance(labels, str):
            return _text(text, self._text), self._marked(text, labels)
        words = text.split() if isinstance(text, str) else text
        tags = labels.split() if isinstance(labels, str) else labels
        if not isinstance(words, list) or not isinstance(tags, list) or not words:
            raise _Fault(
                f"columns {self._text!r} and {self._label!r} are neither a text with spans nor "
                "words with tags"
            )
        if len(words) != len(tags):
            raise _Fault(f"it has {len(words)} words and {len(tags)} tags")
        return _worded([_text(word, self._text) for word in words], [self._one(t) for t in tags])

    def _marked(self, text: str, spans: object) -> tuple[Span, ...]:
        if not isinstance(spans, list):
            raise _Fault(f"column {self._label!r} is not a list of spans")
        found = sorted((self._span(text, span) for span in spans), key=lambda span: span[:2])
        for before, after in pairwise(found):
            if after[0] < before[1]:
                raise _Fault(f"the spans {before[:2]} and {after[:2]} overlap")
        return tuple(found)

    def _span(self, text: str, span: object) -> Span:
        if isinstance(span, Mapping):
            span = [span.get(name) for name in ("start", "end", "label")]
        if (
            not isinstance(span, list)
            or len(span) != 3
            or not all(type(n) is int for n in span[:2])
        ):
            raise _Fault(f"column {self._label!r} has a span without start, end and label")
        start, end, label = span
        if not 0 <= start < end <= len(text):
            raise _Fault(
                f"the span {start} to {end} does not lie in the text of {len(text)} characters"
            )
        return start, end, self._one(label)


def _text(value: object, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Fault(f"column {column!r} is not a text or is empty")
    return value


def _worded(words: list[str], tags: list[str]) -> Example:
    """Words and their tags as a text and its spans."""
    offsets: list[tuple[int, int]] = []
    at = 0
    for word in words:
        offsets.append((at, at + len(word)))
        at += len(word) + 1
    known = tuple(dict.fromkeys(tags))
    tagging = Tagging(known)
    number: Callable[[str], int] = known.index
    if tagging.is_bio:
        found = [(s.first, s.last, s.name) for s in tagging.stretches(list(map(number, tags)))]
    else:
        found = [(i, i, tag) for i, tag in enumerate(tags) if tag != OUTSIDE]
    spans = tuple((offsets[first][0], offsets[last][1], name) for first, last, name in found)
    return " ".join(words), spans
