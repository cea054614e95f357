"""What a rebuild will cost, told before it begins: measured on a sample of the domain's text."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np

from engine.appliance.core import Core
from engine.knowledge.build import compute_rows, entry_bytes
from engine.knowledge.choice import choose, merge
from engine.knowledge.counts import count_ngrams
from engine.schema import RebuildCost, RebuildRequest

_SAMPLE = 256
"""Documents that are counted to learn the pace."""
_ROWS = 256
"""Rows that are computed for it."""
_NO_LIMIT = 1 << 50


def rebuild_cost(core: Core, name: str, request: RebuildRequest) -> RebuildCost:
    """Seconds, entries and bytes at most. A larger text repeats itself more than a sample of it,
    so entries are an upper bound, and with them the seconds."""
    row = core.catalogue.domains.get(name)
    knowledge = core.tree.take(name)
    asked = knowledge.traffic.asked(knowledge.view)
    one = entry_bytes(core.backbone.shape.hidden)
    exists = core.corpora.exists(name)
    lines = list(islice(core.corpora.lines(name), _SAMPLE)) if exists else []
    began = time.perf_counter()
    found = count_ngrams(core.backbone, lines, knowledge.encoder.boundary)
    counting = time.perf_counter() - began
    scale = row.corpus_lines / len(lines) if lines else 0.0
    demand = merge(found)
    nothing = np.zeros(len(demand.keys), dtype=np.bool_)
    keys = choose(demand, nothing, request.alpha, _NO_LIMIT, one).keys
    began = time.perf_counter()
    if len(keys):
        compute_rows(knowledge.encoder, keys[:_ROWS])
    a_row = (time.perf_counter() - began) / max(1, min(len(keys), _ROWS))
    wanted = round(len(keys) * scale) + (len(asked.keys) if request.traffic_weight else 0)
    entries = min(wanted, request.budget_bytes // one)
    return RebuildCost(
        domain=name,
        epoch=row.epoch + 1,
        tokens=round(found.tokens * scale),
        lookups=asked.lookups,
        entries=entries,
        bytes=entries * one,
        seconds=counting * scale + entries * a_row,
        train_seconds=request.train_minutes * 60,
        disk_free_bytes=core.host.sample({}, 1, core.settings.paths.data).disk_free_bytes,
        warnings=_warnings(core, name, request, entries * one),
    )


def _warnings(core: Core, name: str, request: RebuildRequest, needed: int) -> list[str]:
    told: list[str] = []
    if not core.corpora.exists(name):
        told.append("It has no corpus: the table is made of its traffic alone.")
    below = sorted(_inheriting(core, name))
    if request.train_minutes > 0 and below:
        told.append(f"Tables that inherit its encoder are stale until rebuilt: {', '.join(below)}.")
    trained = core.catalogue.vplms.count(domain=name)
    if request.train_minutes > 0 and trained:
        told.append(f"Its {trained:,} vPLMs should be trained again afterwards.")
    free = core.host.sample({}, 1, core.settings.paths.data).disk_free_bytes
    if needed > free:
        told.append("The disk has not that much room.")
    return told


def _inheriting(core: Core, name: str) -> list[str]:
    """Domains below that use the node's encoder, and have a table."""
    rows = core.catalogue.domains.all()
    users = {name}
    for row in rows:
        # A parent comes before its children.
        if row.parent in users and row.encoder is None:
            users.add(row.name)
    return [row.name for row in rows if row.name in users - {name} and row.epoch]
