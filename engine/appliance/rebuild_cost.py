"""What a rebuild will cost, told before it begins: measured on a sample of the domain's text."""

from __future__ import annotations

import math
import time
from itertools import islice

import numpy as np

from engine.appliance.core import Core
from engine.appliance.stack import Stack
from engine.knowledge.build import compute_rows, entry_bytes
from engine.knowledge.choice import choose, merge
from engine.knowledge.counts import count_ngrams
from engine.knowledge.retrieve import Knowledge
from engine.model.backbone import Backbone
from engine.model.ngrams import Keys
from engine.schema import RebuildCost, RebuildRequest

_SAMPLE = 512
"""Documents that are counted to learn the pace."""
_ROWS = 256
"""Rows that are computed for it."""
_NO_LIMIT = 1 << 50


def rebuild_cost(core: Core, stack: Stack, name: str, request: RebuildRequest) -> RebuildCost:
    """About the seconds, entries and bytes: a sample's, grown by the power by which it grew."""
    row = core.catalogue.domains.get(name, stack.sha256)
    knowledge = stack.tree.take(name)
    asked = knowledge.traffic.asked(knowledge.view)
    one = entry_bytes(stack.backbone.shape.hidden)
    exists = core.corpora.exists(name)
    lines = list(islice(core.corpora.lines(name), _SAMPLE)) if exists else []
    began = time.perf_counter()
    keys, tokens = _chosen(stack.backbone, lines, knowledge, request.alpha)
    counting = time.perf_counter() - began
    half, _ = _chosen(stack.backbone, lines[: len(lines) // 2], knowledge, request.alpha)
    began = time.perf_counter()
    if len(keys):
        compute_rows(knowledge.encoder, keys[:_ROWS])
    a_row = (time.perf_counter() - began) / max(1, min(len(keys), _ROWS))
    scale = row.corpus_lines / len(lines) if lines else 0.0
    wanted = _grown(len(half), len(keys), scale)
    if request.traffic_weight:
        wanted += len(asked.keys)
    entries = min(wanted, request.budget_bytes // one)
    return RebuildCost(
        domain=name,
        kind=stack.kind,
        epoch=core.catalogue.domains.next_epoch(name),
        tokens=round(tokens * scale),
        lookups=asked.lookups,
        entries=entries,
        bytes=entries * one,
        seconds=counting * scale + entries * a_row,
        train_seconds=request.train_minutes * 60,
        disk_free_bytes=core.host.sample({}, 1, core.settings.paths.data).disk_free_bytes,
        warnings=_warnings(core, stack, name, request, entries * one),
    )


def _chosen(
    backbone: Backbone, lines: list[str], knowledge: Knowledge, alpha: float
) -> tuple[Keys, int]:
    """What a table of `lines` alone would hold, and how many tokens they have."""
    found = count_ngrams(backbone, lines, knowledge.encoder.boundary)
    demand = merge(found)
    nothing = np.zeros(len(demand.keys), dtype=np.bool_)
    return choose(demand, nothing, alpha, _NO_LIMIT, 1).keys, found.tokens


def _grown(half: int, whole: int, scale: float) -> int:
    """How many of a text `scale` times as long, if half of it had `half` and it has `whole`.

    Distinct n-grams grow by a power of the text (Heaps' law), between not at all and with it.
    """
    if not half or not whole:
        return round(whole * scale)
    power = min(1.0, max(0.0, math.log2(whole / half)))
    return round(whole * math.pow(scale, power))


def _warnings(
    core: Core, stack: Stack, name: str, request: RebuildRequest, needed: int
) -> list[str]:
    told: list[str] = []
    if not core.corpora.exists(name):
        told.append("It has no corpus: the table is made of its traffic alone.")
    below = sorted(_inheriting(core, stack, name))
    if request.train_minutes > 0 and below:
        told.append(f"Tables that inherit its encoder are stale until rebuilt: {', '.join(below)}.")
    trained = core.catalogue.vplms.count(domain=name, backbone=stack.sha256)
    if request.train_minutes > 0 and trained:
        told.append(f"Its {trained:,} vPLMs should be trained again afterwards.")
    free = core.host.sample({}, 1, core.settings.paths.data).disk_free_bytes
    if needed > free:
        told.append("The disk has not that much room.")
    return told


def _inheriting(core: Core, stack: Stack, name: str) -> list[str]:
    """Domains below that use the node's encoder, and have a table."""
    rows = core.catalogue.domains.all(stack.sha256)
    users = {name}
    for row in rows:
        # A parent comes before its children.
        if row.parent in users and row.encoder is None:
            users.add(row.name)
    return [row.name for row in rows if row.name in users - {name} and row.epoch]
