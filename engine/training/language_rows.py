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
    """`ids` (T,) are read; `learnt` (T,) tells which of them are foretold from those before."""

    ids: NDArray[np.int64]
    learnt: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Rows side by side, at most a context in all. A row sees none of the others, and its
    positions begin at 0: packing changes no number, only how many are computed at a time."""

    rows: tuple[LanguageRow, ...]

    @property
    def lengths(self) -> list[int]:
        return [len(row) for row in self.rows]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(T,) of all rows."""
        return np.concatenate([row.ids for row in self.rows])

    @property
    def targets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(places, tokens): the state at each place foretells that token."""
        learnt = np.concatenate([row.learnt for row in self.rows])
        (after,) = learnt.nonzero()
        return after - 1, self.ids[after]


def language_rows(
    examples: Sequence[TextExample], encode: Encode, end: int, context: int
) -> list[LanguageRow]:
    """Rows of at most `context` tokens: `end`, the prompt, the completion, `end`.

    The completion and the `end` behind it are learnt. What is too long is cut into several rows;
    each repeats the end of the prompt, and a text's rows follow each other without overlap.
    """
    if context < 4:
        raise BadInput(
            f"A context of {context} tokens has no room for an example.",
            remedy="Choose a backbone that reads more.",
        )
    prompts = encode([one.prompt for one in examples])
    completions = encode([one.completion for one in examples])
    rows = []
    for prompt, completion in zip(prompts, completions, strict=True):
        kept = int(PROMPT_SHARE * (context - 1))
        fits = 1 + len(prompt) + len(completion) + 1 <= context
        before = [end, *(prompt if fits else prompt[-kept:] if kept else [])]
        body = [*completion, end]
        room = context - len(before)
        for at in range(0, len(body), room):
            ids = np.array([*before, *body[at : at + room]], dtype=np.int64)
            rows.append(LanguageRow(ids, np.arange(len(ids)) >= len(before)))
    return rows


def packs(rows: Sequence[LanguageRow], context: int, rng: np.random.Generator) -> list[Pack]:
    """One pass over `rows`: packs of at most `context` tokens, in random order.

    The longest rows are placed first, each into the fullest pack that has room (best fit).
    """
    order = rng.permutation(len(rows))
    order = order[np.argsort([-len(rows[i]) for i in order], kind="stable")]
    open_packs: list[list[LanguageRow]] = []
    by_room: dict[int, list[int]] = {}
    rooms = np.zeros(context + 1, dtype=np.int64)
    for i in order:
        size = len(rows[i])
        if size > context:
            raise BadInput(
                f"A row has {size} tokens, a pack {context}.", remedy="Cut rows to the context."
            )
        (free,) = rooms[size:].nonzero()
        if len(free):
            room = size + int(free[0])
            place = by_room[room].pop()
            rooms[room] -= 1
        else:
            room, place = context, len(open_packs)
            open_packs.append([])
        open_packs[place].append(rows[i])
        by_room.setdefault(room - size, []).append(place)
        rooms[room - size] += 1
    return [Pack(tuple(open_packs[i])) for i in rng.permutation(len(open_packs))]


def held_out(rows: int, seed: int, share: float = 0.1) -> tuple[list[int], list[int]]:
    """(learnt from, held out) of that many examples: `share` of them, one at least.

    Examples, not rows, so that no part of a text is held out of which another is learnt. BadInput
    if there are too few to hold out any.
    """
    if rows < 2:
        raise BadInput(
            "There is one example; training needs another to see how well it does.",
            remedy="Give at least two examples: texts, lines or paragraphs.",
            code="too_few_examples",
        )
    order = np.random.default_rng(seed).permutation(rows)
    count = max(1, round(share * rows))
    return sorted(order[count:].tolist()), sorted(order[:count].tolist())
