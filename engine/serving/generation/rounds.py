"""The batch that never ends: sequences join and leave at each round, prompts run in chunks beside
texts that go on. (Continuous batching: Yu et al., "Orca", 2022.)

One thread owns it all, the cache among it. What is accepted ends: with its last token, or with an
error that its listener hears; nobody else's text hears of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.errors import Damaged, HmiError
from engine.knowledge.generation import Group, Turn, advance, look_up
from engine.knowledge.retrieve import MissPolicy
from engine.knowledge.retrieved import Lookups
from engine.memory.tiers import AdapterTiers
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.process import without_frames
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.lobby import Lobby
from engine.serving.generation.order import Order, Said
from engine.serving.generation.sampling import draw, unusable
from engine.serving.generation.seats import Seats
from engine.serving.generation.shares import Shares
from engine.serving.generation.voice import Voice
from store.errors import StoreError

log = logging.getLogger(__name__)

LookupsByDomain = tuple[tuple[str, Lookups], ...]

ROUND_TOKENS = 256
"""What a round runs at most: so long does a text that goes on wait for others' prompts."""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What one round was. Seconds; instants are perf_counter's."""

    began: float
    prefill: int
    """Tokens of prompts."""
    decode: int
    """Texts that got a token more each."""
    models: int
    retrieve_s: float
    compute_s: float
    ended: int
    lookups: LookupsByDomain = ()
    """What each domain's rows came from."""


class Rounds:
    """Not thread-safe: one thread calls `step` and `close`. `lobby` may be entered by any."""

    def __init__(
        self,
        decoder: Decoder,
        pool: KvPool,
        tiers: AdapterTiers,
        lobby: Lobby,
        tokens: TokenBytes,
        weight: Callable[[str], float] = lambda _: 1.0,
        miss: MissPolicy = "compute",
        on_round: Callable[[RoundRecord], None] = lambda _: None,
        budget: int = ROUND_TOKENS,
    ) -> None:
        self._decoder, self._pool, self._tiers, self._lobby = decoder, pool, tiers, lobby
        self._seats = Seats(decoder, pool, tiers, tokens)
        self._miss: MissPolicy = miss
        self._on_round = on_round
        self._budget = budget
        self._shares: Shares[Voice] = Shares(weight)

    def __len__(self) -> int:
        """Sequences that live."""
        return len(self._shares)

    def step(self) -> bool:
        """Let go who is gone, let in whom there is room for, and run a round; False if nobody
        could run."""
        self._let_go()
        self._let_in()
        planned = self._shares.plan(self._budget)
        if planned:
            self._run(planned)
        return bool(planned)

    def close(self, error: Exception) -> None:
        """Nothing more runs; whoever lives hears `error`."""
        for voice in list(self._shares):
            self._fail(voice, error)

    def _let_go(self) -> None:
        for voice in list(self._shares):
            if voice.order.given_up:
                self._remove(voice)

    def _let_in(self) -> None:
        seats = self._seats
        while (order := self._lobby.next(seats.held, seats.ready)) is not None:
            try:
                voice = seats.take(order)
            except (HmiError, StoreError) as error:
                self._refuse(order, error)
                continue
            except Exception as error:
                log.exception("a text of %s could not be begun", order.tenant)
                self._refuse(order, error)
                continue
            if voice is None:
                # Those behind it wait too: what is small would keep out what is large for ever.
                return
            if not self._lobby.leave([order]):
                # Given up meanwhile.
                seats.free(voice)
                continue
            self._shares.join(voice)
            seats.unwant(order)

    def _run(self, planned: Sequence[tuple[Voice, int]]) -> None:
        """A round of these. If it fails, its halves: nobody's error ends another's text."""
        began = time.perf_counter()
        voices = [voice for voice, _ in planned]
        turns = [voice.sequence.turn(count) for voice, count in planned]
        decode = sum(voice.speaks for voice in voices)
        prefill = sum(turn.count for turn in turns) - decode
        try:
            groups = look_up(turns, self._miss)
            retrieved = time.perf_counter()
            said, lookups = self._advance(voices, turns, groups)
        except Exception as error:
            if len(planned) == 1:
                log.exception("a text of %s cannot go on", voices[0].tenant)
                self._fail(voices[0], error)
                return
            log.warning(
                "a round of %d texts failed and is tried in halves: %s", len(planned), error
            )
            middle = len(planned) // 2
            self._run(planned[:middle])
            self._run(planned[middle:])
            return
        record = RoundRecord(
            began,
            prefill=prefill,
            decode=decode,
            models=len({voice.order.adapter for voice in voices}),
            retrieve_s=retrieved - began,
            compute_s=time.perf_counter() - retrieved,
            ended=sum(voice.ended for voice in voices),
            lookups=lookups,
        )
        self._record(record)
        for voice in voices:
            voice.took_part(record.retrieve_s, record.compute_s, len(voices), record.models)
        for voice, each in said:
            self._tell(voice, each)

    def _advance(
        self, voices: Sequence[Voice], turns: Sequence[Turn], groups: Sequence[Group]
    ) -> tuple[list[tuple[Voice, Said | None]], LookupsByDomain]:
        """What each voice that came to its end of what was known says next, None for one whose
        logits are no numbers; and where rows came from. Nothing has changed if this raises."""
        logits = advance(self._decoder, self._pool, groups, self._tiers.arena.weights)
        ending = [voice for voice, turn in zip(voices, turns, strict=True) if turn.ends]
        bad = set(unusable(logits))
        good = [row for row in range(len(ending)) if row not in bad]
        drawn = draw(logits[good], [ending[row].drawing() for row in good]) if good else []
        for voice, turn in zip(voices, turns, strict=True):
            voice.sequence = turn.over()
        lookups = self._count(voices, groups)
        found = {row: ending[row].hear(one) for row, one in zip(good, drawn, strict=True)}
        return [(voice, found.get(row)) for row, voice in enumerate(ending)], lookups

    def _count(self, voices: Sequence[Voice], groups: Sequence[Group]) -> LookupsByDomain:
        by_domain: dict[str, Lookups] = {}
        for group in groups:
            at = 0
            for which, turn in zip(group.which, group.turns, strict=True):
                voice, knowledge, end = voices[which], turn.sequence.knowledge, at + turn.count
                if group.found is not None and knowledge is not None:
                    found = group.found.lookups(at, end)
                    voice.looked_up(knowledge, found)
                    if voice.order.explain:
                        voice.read(knowledge, turn, group.found.part(at, end))
                    before = by_domain.get(knowledge.domain)
                    by_domain[knowledge.domain] = found if before is None else before + found
                at = end
        return tuple(by_domain.items())

    def _tell(self, voice: Voice, said: Said | None) -> None:
        if said is None:
            self._fail(
                voice,
                Damaged(
                    "The model's answer is no number.",
                    remedy="Its adapter is most likely damaged: train the vPLM again, or promote "
                    "an earlier version.",
                    code="no_number",
                ),
            )
            return
        if voice.ended:
            # Who hears of the end finds the place free.
            self._remove(voice)
            said = replace(said, ended=voice.end())
        try:
            voice.order.listener.said(voice.order, said)
        except Exception:
            log.exception("nobody could be told of a token")
            voice.order.give_up()

    def _fail(self, voice: Voice, error: Exception) -> None:
        self._remove(voice)
        _tell_failure(voice.order, error)

    def _refuse(self, order: Order, error: Exception) -> None:
        """It is not let in."""
        if self._lobby.leave([order]):
            self._seats.unwant(order)
            _tell_failure(order, error)

    def _remove(self, voice: Voice) -> None:
        self._shares.leave(voice)
        self._seats.free(voice)

    def _record(self, record: RoundRecord) -> None:
        try:
            self._on_round(record)
        except Exception:
            log.exception("a round was not counted")


def _tell_failure(order: Order, error: Exception) -> None:
    try:
        order.listener.failed(order, without_frames(error))
    except Exception:
        log.exception("nobody could be told of a failure")
