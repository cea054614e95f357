"""Labels of words and labelled spans of a text, each as the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = "O"
"""The label of words that belong to no span."""

Offsets = Sequence[tuple[int, int]]
Span = tuple[int, int, str]
"""Characters `start` to `end`, and what they are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words `first` to `last`, both included, that are one `name`."""

    first: int
    last: int
    name: str


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a model's labels mean: BIO (O, B-x, I-x), or plain.

    Plain labels with O among them make one span of neighbours that are alike; without, every word
    is a span of its own, as parts of speech are.
    """

    labels: tuple[str, ...]

    @property
    def is_bio(self) -> bool:
        rest = [label for label in self.labels if label != OUTSIDE]
        return all(label[:2] in ("B-", "I-") for label in rest)

    @property
    def names(self) -> frozenset[str]:
        """What spans may be called."""
        cut = 2 if self.is_bio else 0
        return frozenset(label[cut:] for label in self.labels if label != OUTSIDE)

    def stretches(self, tags: Sequence[int]) -> list[Stretch]:
        """The spans that words with these labels (numbers) make, in order."""
        found: list[Stretch] = []
        merges = self.is_bio or OUTSIDE in self.labels
        for word, tag in enumerate(tags):
            label = self.labels[tag]
            if label == OUTSIDE:
                continue
            name = label[2:] if self.is_bio else label
            last = found[-1] if found else None
            # An I- that continues nothing begins a span: leniently, as most evaluations do.
            joins = last is not None and last.last == word - 1 and last.name == name
            if last is not None and joins and merges and not (self.is_bio and label[:2] == "B-"):
                found[-1] = Stretch(last.first, word, name)
            else:
                found.append(Stretch(word, word, name))
        return found

    def tags(self, offsets: Offsets, spans: Sequence[Span]) -> list[int]:
        """The label (number) of each word at `offsets`; -1 for one without, where there is no O."""
        number = {label: i for i, label in enumerate(self.labels)}
        outside = number.get(OUTSIDE, -1)
        found = [outside] * len(offsets)
        for start, end, name in spans:
            begins = True
            for word, (left, right) in enumerate(offsets):
                if left < end and start < right:
                    label = f"{'B-' if begins else 'I-'}{name}" if self.is_bio else name
                    # A model that knows only I-x says so of first words, too.
                    found[word] = number.get(label, number.get(f"I-{name}", outside))
                    begins = False
        return found
