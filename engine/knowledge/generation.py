"""Texts that go on: sequences of distinct vPLMs in one batch, prompts in chunks beside steps.

A sequence is a value; what it has in the pool belongs to its lease. Each round takes a turn of some
sequences, looks their new tokens up (on the CPU, ahead of the computing if you like) and runs them.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import BadInput
from engine.knowledge.retrieve import Asked, Knowledge, MissPolicy, retrieve_all
from engine.knowledge.retrieved import Retrieved, together
from engine.model.batched import BatchedAdapters, SlotWeights
from engine.model.cached import CachedRows
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool, Lease
from engine.model.packing import round_up


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """`ids` are the prompt's and what was said since; the first `done` are in the cache.

    `knowledge` is None in exact mode. It and `lease` are the sequence's for as long as it lives:
    what is cached was made with them. `slot` is its adapter's, 0 for none.
    """

    ids: tuple[int, ...]
    done: int
    lease: Lease
    knowledge: Knowledge | None
    slot: int = 0

    @property
    def left(self) -> int:
        """Tokens that have not run yet: many of a prompt, one of a text that goes on."""
        return len(self.ids) - self.done

    def turn(self, most: int) -> Turn:
        """The next tokens to run, `most` of them at most."""
        return Turn(self, min(most, self.left))

    def said(self, token: int) -> Sequence:
        """With the token that comes next; the lease must have room for it."""
        return replace(self, ids=(*self.ids, token))


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """The next `count` tokens of a sequence."""

    sequence: Sequence
    count: int

    @property
    def ids(self) -> tuple[int, ...]:
        at = self.sequence.done
        return self.sequence.ids[at : at + self.count]

    @property
    def ends(self) -> bool:
        """Whether nothing is left after it, so that the next token is wanted."""
        return self.count == self.sequence.left

    def before(self, boundary: int) -> tuple[int, int]:
        """The two tokens in front of it, the farther first."""
        ids, at = self.sequence.ids, self.sequence.done
        return (
            ids[at - 2] if at > 1 else boundary,
            ids[at - 1] if at > 0 else boundary,
        )

    def over(self) -> Sequence:
        """The sequence once the turn has run."""
        return replace(self.sequence, done=self.sequence.done + self.count)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Turns that come by layer k in one way: `found` for all of them in order, None in exact mode.

    `which` are their places among the turns of the round.
    """

    which: tuple[int, ...]
    turns: tuple[Turn, ...]
    found: Retrieved | None

    @property
    def counts(self) -> list[int]:
        return [turn.count for turn in self.turns]

    def ids(self) -> NDArray[np.int64]:
        return _packed(self.turns)

    def rows(self, pool: KvPool, places: int) -> CachedRows:
        """Its tokens' reach into the pool, in that many packed places."""
        return _reach(self.turns, pool, places)


def caching_layers(decoder: Decoder, knowledge: Knowledge | None) -> int:
    """How many layers of a sequence keep keys and values: all in exact mode, else the bridge's and
    the upper ones."""
    if knowledge is None:
        return decoder.shape.layers
    return len(knowledge.bridge.widths) + decoder.shape.layers - decoder.split


def begin(
    decoder: Decoder,
    pool: KvPool,
    prompt: Several[int],
    max_tokens: int,
    knowledge: Knowledge | None,
    slot: int = 0,
) -> Sequence | None:
    """A sequence with room for its prompt and `max_tokens` more, or None: the pool is full, wait.

    BadInput if the prompt is empty, or both together are more than the decoder reads or the pool
    could ever hold.
    """
    if not prompt:
        raise BadInput(
            "The prompt is empty.",
            remedy="Give some text to go on from.",
            code="empty_prompt",
        )
    wanted = len(prompt) + max_tokens
    if wanted > decoder.max_tokens:
        raise BadInput(
            f"The prompt has {len(prompt):,} tokens and {max_tokens:,} more are asked for; the "
            f"decoder reads {decoder.max_tokens:,} in all.",
            remedy=f"Shorten the prompt, or ask for at most "
            f"{max(0, decoder.max_tokens - len(prompt)):,} tokens.",
            code="context_exceeded",
        )
    lease = pool.admit(caching_layers(decoder, knowledge), wanted)
    return None if lease is None else Sequence(tuple(prompt), 0, lease, knowledge, slot)


def look_up(turns: Several[Turn], miss: MissPolicy = "compute") -> tuple[Group, ...]:
    """The rows of all new tokens; turns that share a bridge become one group."""
    order = sorted(range(len(turns)), key=lambda i: (*_way(turns[i]), turns[i].sequence.slot))
    domains = _runs(order, [_way(turn) for turn in turns])
    plot = [run for run in domains if turns[run[0]].sequence.knowledge is not None]
    found = dict(
        zip(
            (run[0] for run in plot),
            retrieve_all([_asked([turns[i] for i in run], miss) for run in plot]),
            strict=True,
        )
    )
    groups: list[Group] = []
    for run in _runs(order, [_way(turn)[0] for turn in turns]):
        parts = [found[i] for i in run if i in found]
        group = tuple(turns[i] for i in run)
        groups.append(Group(tuple(run), group, together(parts) if parts else None))
    return tuple(groups)


@torch.inference_mode()
def advance(
    decoder: Decoder, pool: KvPool, groups: Several[Group], adapters: SlotWeights
) -> Tensor:
    """Run the turns of a round: logits (E, V) float32 of what comes next, for each of the E turns
    that end, in the order in which the turns were looked up.

    The new keys and values are in the pool afterwards: go on with each turn's `over`.
    """
    states = torch.cat([_lower(group, decoder, pool) for group in groups])
    turns = [turn for group in groups for turn in group.turns]
    counts = [turn.count for turn in turns]
    rows = _reach(turns, pool, _places(sum(counts), decoder))
    spare = len(rows.position) - len(states)
    states = torch.nn.functional.pad(states, (0, 0, 0, spare))
    slots = [turn.sequence.slot for turn in turns] + [0] * (rows.packing.rows - len(turns))
    top = decoder.upper_on(states, rows, BatchedAdapters(adapters, slots, rows.packing))
    which = [i for group in groups for i in group.which]
    ends = np.cumsum(counts) - 1
    last = sorted((i, end) for i, end, turn in zip(which, ends, turns, strict=True) if turn.ends)
    wanted = torch.tensor([int(end) for _, end in last], dtype=torch.int64, device=top.device)
    return decoder.logits(top[wanted])


def _lower(group: Group, decoder: Decoder, pool: KvPool) -> Tensor:
    """Layer k of the group's new tokens (T, H)."""
    total = sum(group.counts)
    rows = group.rows(pool, _places(total, decoder))
    knowledge = group.turns[0].sequence.knowledge
    if knowledge is None:
        ids = np.zeros(len(rows.position), dtype=np.int64)
        ids[:total] = group.ids()
        return decoder.lower_on(torch.from_numpy(ids).to(decoder.device), rows)[:total]
    assert group.found is not None, "look_up comes before advance"
    return knowledge.assemble_on(group.found, rows)[:total]


def _places(tokens: int, decoder: Decoder) -> int:
    return round_up(tokens) if decoder.compiles else tokens


def _reach(turns: Several[Turn], pool: KvPool, places: int) -> CachedRows:
    sequences = [turn.sequence for turn in turns]
    return CachedRows(
        pool,
        [sequence.lease for sequence in sequences],
        [sequence.done for sequence in sequences],
        [turn.count for turn in turns],
        places=places,
    )


def _asked(turns: list[Turn], miss: MissPolicy) -> Asked:
    knowledge = turns[0].sequence.knowledge
    assert knowledge is not None
    boundary = knowledge.encoder.boundary
    return Asked(
        _packed(turns),
        np.array([turn.count for turn in turns], dtype=np.int64),
        knowledge,
        miss,
        np.array([turn.before(boundary) for turn in turns], dtype=np.int64),
    )


def _packed(turns: Several[Turn]) -> NDArray[np.int64]:
    total = sum(turn.count for turn in turns)
    return np.fromiter((token for turn in turns for token in turn.ids), np.int64, total)


def _way(turn: Turn) -> tuple[int, int]:
    """Tells bridges apart, and what one bridge serves; zeros in exact mode."""
    knowledge = turn.sequence.knowledge
    return (0, 0) if knowledge is None else (id(knowledge.bridge), id(knowledge))


def _runs(order: list[int], kinds: Several[object]) -> list[list[int]]:
    """`order` in runs of one kind."""
    runs: list[list[int]] = []
    for i in order:
        if runs and kinds[runs[-1][-1]] == kinds[i]:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs
