"""Examples as rows of tokens for a language model's loss, packed into what it can read at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.training.examples import TextExample

Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts to token ids, nothing added."""
PROMPT_SHARE = 0.5
"""Of the context that a long prompt may take, so that its completion has the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class LanguageRow:
    """`ids` (T,) are read; `learnt` (T,) tells which of them are foretold from those before.

    `example` is the number of the one that it is (a part of).
    """

    ids: NDArray[np.int64]
    learnt: NDArray[np.bool_]
    example: int = 0

    def __len__(self) -> int:
        return len(self.ids)


def language_rows(
    examples: Sequence[TextExample], encode: Encode, end: int, context: int
) -> list[LanguageRow]:
    """Rows of at most `context` tokens, as they are read when a vPLM is asked: nothing stands
    before a prompt, or before a text that has none.

    The completion and the `end` behind it are learnt; of a text without a prompt all but its first
    token, which nothing could foretell. What is too long is cut into several rows: each repeats the
    end of the prompt, or the last token of the row before.
    """
    if context < 4:
        raise BadInput(
            f"A context of {context} tokens has no room for an example.",
            remedy="Choose a backbone that reads more.",
        )
    prompts = encode([one.prompt for one in examples])
    completions = encode([one.completion for one in examples])
    rows = []
    for number, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        body = [*completion, end]
        before = prompt
        if not prompt:
            before, body = body[:1], body[1:]
        elif len(before) + len(body) > context:
            before = prompt[-max(1, int(PROMPT_SHARE * context)) :]
        room = context - len(before)
        for at in range(0, len(body), room):
            ids = np.array([*before, *body[at : at + room]], dtype=np.int64)
            rows.append(LanguageRow(ids, np.arange(len(ids)) >= len(before), number))
            if not prompt:
                before = body[at + room - 1 : at + room]
    return rows


def foretold(rows: Sequence[LanguageRow]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(places, tokens) of rows side by side: the state at each place foretells that token."""
    ids = np.concatenate([row.ids for row in rows])
    (after,) = np.concatenate([row.learnt for row in rows]).nonzero()
    return after - 1, ids[after]


def packs(sizes: Sequence[int], room: int, rng: np.random.Generator) -> list[list[int]]:
    """One pass over rows of so many tokens: the numbers of those that go together, at most `room`
    tokens each time, in random order. There are as many packs whatever `rng` is.

    The longest rows are placed first, each into the fullest pack that has room (best fit). A row
    sees none of the others: packing changes no number, only which are learnt in one step.
    """
    order = rng.permutation(len(sizes))
    order = order[np.argsort([-sizes[i] for i in order], kind="stable")]
    found: list[list[int]] = []
    by_room: dict[int, list[int]] = {}
    rooms = np.zeros(room + 1, dtype=np.int64)
    for i in order:
        size = sizes[i]
        if size > room:
            raise BadInput(
                f"A row has {size} tokens, a pack {room}.", remedy="Cut rows to the context."
            )
        (free,) = rooms[size:].nonzero()
        if len(free):
            left = size + int(free[0])
            place = by_room[left].pop()
            rooms[left] -= 1
        else:
            left, place = room, len(found)
            found.append([])
        found[place].append(int(i))
        by_room.setdefault(left - size, []).append(place)
        rooms[left - size] += 1
    return [found[i] for i in rng.permutation(len(found))]


def held_out(rows: int, seed: int, share: float = 0.1) -> tuple[list[int], list[int]]:
    """(learnt from, held out) of that many examples: `share` of them, one at least.

    Examples, not rows, so that no part of a text is held out of which another is learnt. BadInput
    if there are too few to hold out any.
    """
    if rows < 2:
        raise BadInput(
            "There is one example; training needs another to see how well it does.",
            remedy="Give at least two: rows, or a text's paragraphs or lines.",
            code="too_few_examples",
        )
    order = np.random.default_rng(seed).permutation(rows)
    count = max(1, round(share * rows))
    return sorted(order[count:].tolist()), sorted(order[:count].tolist())
