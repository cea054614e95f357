"""A domain's traffic from one start of the engine to the next."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knowledge.retrieve import Knowledge
from engine.knowledge.sketch import MOST, Held
from engine.knowledge.traffic import Recent, TrafficState
from engine.knowledge.tree import DomainTree
from store.errors import Damaged, StoreError
from store.traffic_files import TrafficFiles

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]


class TrafficLedger:
    """The traffic of all the domains of a tree, on disk while no engine runs."""

    def __init__(self, files: TrafficFiles, tree: DomainTree, vocabulary: str) -> None:
        """`vocabulary` says whose token ids the n-grams are made of."""
        self._files = files
        self._tree = tree
        self._vocabulary = vocabulary
        self._saved: dict[str, tuple[int, int]] = {}

    def load(self) -> None:
        """Let every domain take up what was saved of it.

        A file that cannot be used is removed, with a log line: it is a hint, never truth.
        """
        for knowledge in self._tree.all():
            domain = knowledge.domain
            try:
                arrays = self._files.get(domain)
                if arrays is not None:
                    knowledge.traffic.restore(_state(arrays, self._vocabulary), knowledge.view)
            except Damaged as error:
                log.warning("the traffic of domain %s is forgotten: %s", domain, error.detail)
                self._files.remove(domain)

    def save(self, *domains: str) -> None:
        """Keep what is known of the traffic of `domains`, of all of them if none are named.

        If there is no room for it, that is a log line: serving does not depend on it.
        """
        for knowledge in self._tree.all():
            if not domains or knowledge.domain in domains:
                try:
                    self._save(knowledge)
                except (OSError, StoreError) as error:
                    log.warning("the traffic of %s could not be saved: %s", knowledge.domain, error)

    def _save(self, knowledge: Knowledge) -> None:
        domain, traffic = knowledge.domain, knowledge.traffic
        stamp = knowledge.epoch, traffic.hits + traffic.misses
        state = traffic.state(knowledge.view)
        if self._saved.get(domain) == stamp or not (len(state.hit_keys) or state.misses):
            return
        recent = state.recent
        totals = [[state.misses], [recent.hits], [recent.misses]]
        arrays: Arrays = {
            "vocabulary": np.array(self._vocabulary),
            "hits": np.stack([state.hit_keys, state.hits]),
            "missed": np.stack([state.missed.keys, state.missed.least, state.missed.most]),
            "totals": np.array(totals, dtype=np.int64),
        }
        self._files.put(domain, arrays)
        self._saved[domain] = stamp
        if domain not in self._tree.traffic:
            # It was removed meanwhile, and another of that name must not inherit its traffic.
            self._files.remove(domain)


def _state(arrays: Arrays, vocabulary: str) -> TrafficState:
    """What the arrays say. Damaged if it cannot be true."""
    if str(arrays.get("vocabulary")) != vocabulary:
        raise Damaged("it was counted with another backbone's token ids.")
    hit_keys, hits = _columns(arrays, "hits", 2)
    missed, least, most = _columns(arrays, "missed", 3)
    misses, *recent = (int(each.sum()) for each in _columns(arrays, "totals", 3))
    named = all(_are_names(keys) for keys in (hit_keys, missed))
    if not named or (least > most).any() or (most > MOST).any():
        raise Damaged("its counts contradict each other.")
    return TrafficState(hit_keys, hits, Held(missed, least, most), misses, Recent(*recent))


def _columns(arrays: Arrays, name: str, number: int) -> NDArray[np.int64]:
    found = arrays.get(name)
    if found is None or found.dtype != np.int64 or found.ndim != 2 or len(found) != number:
        raise Damaged(f"it has no {name}.")
    if (found < 0).any():
        raise Damaged(f"it counts less than nothing in its {name}.")
    return found


def _are_names(keys: NDArray[np.int64]) -> bool:
    """Whether they can be the keys of distinct n-grams."""
    return bool((keys > 0).all()) and len(np.unique(keys)) == len(keys)
