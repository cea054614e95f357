"""Nodes of the tree and what their tables hold, as the API shows them."""

from __future__ import annotations

from typing import cast

from engine.appliance.core import Core
from engine.appliance.stack import Stack
from engine.appliance.updates import policy_of
from engine.model.ngrams import ABSENT, in_text_order, unpack
from engine.schema import (
    Domain,
    DomainEpoch,
    DomainEpochs,
    DomainState,
    Kind,
    NgramEntry,
    NgramPage,
)
from store.rows import DomainRow


def domain_of(core: Core, stack: Stack, kind: Kind, row: DomainRow, depth: int) -> Domain:
    """A node as the API shows it. NotFound if it is in the catalogue alone."""
    knowledge = stack.tree.take(row.name)
    own, traffic = stack.tree.own(row.name), knowledge.traffic
    seen = traffic.hits + traffic.misses
    return Domain(
        name=row.name,
        parent=row.parent,
        depth=depth,
        epoch=row.epoch,
        entries=0 if own is None else len(own.keys),
        bytes=0 if own is None else own.nbytes,
        view_entries=knowledge.view.entries,
        hits=traffic.hits,
        misses=traffic.misses,
        hit_rate=traffic.hits / seen if seen else None,
        corpus_bytes=row.corpus_bytes,
        corpus_lines=row.corpus_lines,
        encoder="inherited" if row.encoder is None else "own",
        state=_state(stack, row, damaged=knowledge.damage is not None),
        vplms=core.catalogue.vplms.count(domain=row.name),
        created_at=row.created_at,
        damage=None if knowledge.damage is None else knowledge.damage.detail,
        policy=policy_of(row),
        recent_lookups=traffic.recent.lookups,
        recent_miss_rate=traffic.recent.miss_rate,
        computed=traffic.computed,
        cached=traffic.cached,
        backed_off=traffic.backed_off,
        published_at=stack.epochs.published_at(row.name),
        kind=kind,
    )


def epochs_of(stack: Stack, name: str) -> DomainEpochs:
    """What is kept of a node's epochs."""
    return DomainEpochs(
        data=[
            DomainEpoch(
                epoch=row.epoch,
                entries=row.entries,
                bytes=row.bytes,
                alpha=row.alpha,
                coverage=row.coverage,
                encoder="inherited" if row.encoder is None else "own",
                seconds=row.seconds,
                hits=row.hits,
                lookups=row.lookups,
                hit_rate=row.hits / row.lookups if row.lookups else None,
                published_at=row.published_at,
                replaced_at=row.replaced_at,
            )
            for row in stack.epochs.of(name)
        ]
    )


def _state(stack: Stack, row: DomainRow, *, damaged: bool) -> DomainState:
    if damaged:
        return "damaged"
    return "stale" if stack.tree.stale(row.name) else cast("DomainState", row.state)


def _spell(stack: Stack, ids: list[int]) -> str:
    """An n-gram as text; a boundary is shown as a bar, an absent slot not at all."""
    boundary = stack.tree.general.encoder.boundary
    words = [
        "|" if i == boundary else str(stack.backbone.tokenizer.convert_ids_to_tokens(i))
        for i in ids
        if i != ABSENT
    ]
    return " ".join(words)


def ngram_page(stack: Stack, name: str, q: str, limit: int) -> NgramPage:
    """The most used n-grams that a lookup in a node sees, those whose text holds `q`."""
    view = stack.tree.take(name).view
    keys, counts, hits, rows = view.used()
    grams = in_text_order(unpack(keys), causal=stack.backbone.shape.causal)
    wanted = q.casefold()
    data: list[NgramEntry] = []
    total = 0
    for i in range(len(keys)):
        # Without a filter there is no need to spell out what will not be shown.
        if not wanted and len(data) == limit:
            total = len(keys)
            break
        text = _spell(stack, grams[i].tolist())
        if wanted not in text.casefold():
            continue
        total += 1
        if len(data) < limit:
            data.append(
                NgramEntry(
                    text=text,
                    ids=grams[i].tolist(),
                    count=int(counts[i]),
                    hits=int(hits[i]),
                    source=view.source(int(rows[i])),
                )
            )
    return NgramPage(data=data, total=total)
