"""Lower-layer outputs of a dataset, computed once and read every epoch.

Only the adapter and head learn, so the state of layer k of a text never changes while a job runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.knowledge.retrieve import Knowledge, retrieve
from engine.model.backbone import Backbone
from engine.model.packing import Packing, rounded
from engine.model.reading import Reading
from engine.training.state_file import SUFFIX, StateFile, trim, write_states

_BATCH_TOKENS = 2048
_FILES_BUDGET = 4 << 30


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where jobs share states: a folder, and what tells the knowledge apart from any other (its
    tables' epochs and its encoder)."""

    folder: Path
    knowledge: str


class StateCache:
    """For each text its layer-k state (T_i, H) float16, as serving has it: through the tables, or
    the backbone's own with `exact`, and where the domain's knowledge is damaged.

    Texts beyond `budget` bytes are not kept but computed whenever they are asked for.
    """

    def __init__(
        self,
        backbone: Backbone,
        knowledge: Knowledge,
        readings: Sequence[Reading],
        budget: int,
        progress: Callable[[float], None],
        *,
        exact: bool = False,
        shelf: Shelf | None = None,
    ) -> None:
        """With a `shelf` states are kept in files there, which may be there already."""
        self._backbone = backbone
        self._knowledge = knowledge
        self._rows = rows = [reading.ids for reading in readings]
        self._seconds = [reading.second for reading in readings]
        self._exact = exact or knowledge.damage is not None
        self._kept: dict[int, Tensor] = {}
        self._file: StateFile | None = None
        self._keep = _within(rows, budget, backbone.shape.hidden * 2)
        self._done = 0
        if shelf is None:
            self._kept = dict(self._computed(progress))
        elif self._keep:
            self._file = self._filed(shelf, progress)
        if shelf is not None:
            trim(shelf.folder, _FILES_BUDGET)

    def states(self, texts: Sequence[int]) -> list[Tensor]:
        """(T_i, H) float16 of each; see `packed`."""
        return [self._state(text) for text in texts]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _state(self, text: int) -> Tensor:
        if self._file is not None and text in self._file:
            return self._file.read(text)
        kept = self._kept.get(text)
        return self._compute([text])[0] if kept is None else kept

    def _filed(self, shelf: Shelf, progress: Callable[[float], None]) -> StateFile:
        path = shelf.folder / f"{self._key(shelf)}{SUFFIX}"
        lengths = [len(self._rows[i]) for i in self._keep]
        try:
            file = StateFile(path, self._keep, lengths, self._backbone.shape.hidden)
        except FileNotFoundError:
            write_states(path, (state for _, state in self._computed(progress)))
            return StateFile(path, self._keep, lengths, self._backbone.shape.hidden)
        progress(1.0)
        return file

    def _key(self, shelf: Shelf) -> str:
        """What the states are a function of."""
        backbone = self._backbone
        made = (backbone.checkpoint.sha256, backbone.split, str(backbone.dtype), backbone.device)
        through = "" if self._exact else shelf.knowledge
        digest = hashlib.sha256(repr((made, self._exact, through)).encode())
        for i in self._keep:
            row = (i, self._seconds[i], len(self._rows[i]), *self._rows[i])
            digest.update(np.array(row, dtype=np.int64).data)
        return digest.hexdigest()

    def _computed(self, progress: Callable[[float], None]) -> Iterator[tuple[int, Tensor]]:
        """The kept texts' states, in their order."""
        for batch in _by_tokens(self._keep, self._rows):
            yield from zip(batch, (s.half() for s in self._compute(batch)), strict=True)
            self._done += len(batch)
            progress(self._done / len(self._keep))

    @torch.no_grad()
    def _compute(self, which: list[int]) -> list[Tensor]:
        backbone, device = self._backbone, self._backbone.device
        lengths = [len(self._rows[i]) for i in which]
        ids = np.fromiter((t for i in which for t in self._rows[i]), np.int64, sum(lengths))
        packing = Packing.of(lengths, device, [self._seconds[i] for i in which])
        if self._exact:
            states = backbone.lower(torch.from_numpy(ids).to(device), packing)
        else:
            got = retrieve(
                ids,
                np.array(lengths),
                self._knowledge,
                seconds=np.array(packing.seconds) if packing.seconds else None,
            )
            states = self._knowledge.assemble(got, packing)
        return list(states.cpu().split(lengths))  # type: ignore[no-untyped-call]


def packed(parts: Sequence[Tensor], backbone: Backbone) -> tuple[Tensor, Packing]:
    """Texts' states side by side (T, H) in the backbone's dtype.

    Where the backbone's kernels are compiled by shape, rows that belong to nobody follow.
    """
    lengths = [len(part) for part in parts]
    whole = rounded(lengths) if backbone.compiles else lengths
    packing = Packing.of(whole, backbone.device)
    nobody = parts[0].new_zeros(packing.total - sum(lengths), parts[0].shape[1])
    states = torch.cat([*parts, nobody])
    return states.to(backbone.device, backbone.dtype), packing


def _within(rows: list[list[int]], budget: int, cost: int) -> list[int]:
    """The shortest texts that fit into `budget` bytes at `cost` a token, the shortest first."""
    spent = 0
    keep: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        spent += len(rows[i]) * cost
        if spent > budget:
            break
        keep.append(i)
    return keep


def _by_tokens(order: list[int], rows: list[list[int]]) -> list[list[int]]:
    batches: list[list[int]] = []
    size = _BATCH_TOKENS
    for i in order:
        if size + len(rows[i]) > _BATCH_TOKENS:
            batches.append([])
            size = 0
        batches[-1].append(i)
        size += len(rows[i])
    return batches
