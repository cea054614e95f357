"""The call everything else is for: texts in, labels out."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator

from engine.appliance.calls import Calls
from engine.errors import HmiError, NotFound, QueueFull
from engine.knowledge.retrieve import Lookups
from engine.schema import (
    ClassifyRequest,
    ClassifyResponse,
    Prediction,
    Timing,
    TokenOrigin,
    Usage,
)
from engine.serving.work import Mode, Outcome, ServedModel, Ticket, Work
from store.errors import StoreError

_OFF_LOOP = 2_000
"""Characters beyond which tokenising would hold up the event loop."""


class InferenceCalls(Calls):
    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        core = self._core
        began = time.perf_counter()
        model = core.models.take(request.model)
        texts = [request.input] if isinstance(request.input, str) else request.input
        with self._counted(model, len(texts), began) as tokens:
            ids = await self._tokenize([text[: core.backbone.max_characters] for text in texts])
            cut = [core.backbone.cut(row) for row in ids]
            truncated = [
                was or len(text) > core.backbone.max_characters
                for text, (_, was) in zip(texts, cut, strict=True)
            ]
            rows = [row for row, _ in cut]
            while True:
                mode: Mode = request.mode or model.mode
                ticket = Ticket(len(texts), core.tiers.tier(model.adapter))
                try:
                    outcomes = await self._ask(model, mode, rows, ticket, request.explain)
                    break
                except (HmiError, StoreError):
                    # It may have been retrained or moved while the request waited, and what it
                    # was before be gone; then it is asked as it is now.
                    now = core.models.take(request.model)
                    if now == model:
                        raise
                    model = now
            tokens.append(sum(o.tokens for o in outcomes))
        answer = _response(model, mode, ticket, outcomes, truncated)
        if not request.explain:
            return answer
        return answer.model_copy(update={"tokens": self._explained(rows, outcomes)})

    def _explained(self, rows: list[list[int]], outcomes: list[Outcome]) -> list[list[TokenOrigin]]:
        """Each text's tokens with where their rows came from; none of one in exact mode."""
        spell = self._core.backbone.tokenizer.convert_ids_to_tokens
        return [
            [
                TokenOrigin(text=str(spell(token)), source=origin.source, node=origin.node)
                for token, origin in zip(row, outcome.origins or (), strict=False)
            ]
            for row, outcome in zip(rows, outcomes, strict=True)
        ]

    async def _ask(
        self,
        model: ServedModel,
        mode: Mode,
        rows: list[list[int]],
        ticket: Ticket,
        explain: bool,
    ) -> list[Outcome]:
        works = [Work(model, mode, row, ticket, i, explain=explain) for i, row in enumerate(rows)]
        core = self._core
        # Before it is queued: its adapter is on the way when a batch is made up.
        core.tiers.want(model.adapter)
        try:
            core.queue.offer(works)
            # Cancelling this call (the client is gone) cancels the ticket, which frees its place.
            return await asyncio.wrap_future(ticket.future)
        finally:
            core.tiers.unwant(model.adapter)

    async def _tokenize(self, texts: list[str]) -> list[list[int]]:
        tokenize = self._core.backbone.tokenize
        if sum(map(len, texts)) < _OFF_LOOP:
            return tokenize(texts)
        return await asyncio.to_thread(tokenize, texts)

    @contextlib.contextmanager
    def _counted(self, model: ServedModel, texts: int, began: float) -> Iterator[list[int]]:
        """Note how the request ended, for rates and metrics; the caller adds its tokens."""
        core = self._core
        tokens: list[int] = []
        outcome = "ok"
        core.models.requests[model.id] += 1
        core.usage.note(model.tenant, model.id)
        core.totals["requests"] += 1
        try:
            with core.admission.admit(model.tenant):
                yield tokens
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except (HmiError, StoreError) as error:
            outcome = error.code
            core.totals["errors"] += 1
            if isinstance(error, QueueFull):
                core.refused[error.code] += 1
                core.metrics.observe_refusal(error.code)
            raise
        else:
            core.totals["texts"] += texts
            core.totals["tokens"] += sum(tokens)
        finally:
            seconds = time.perf_counter() - began
            core.metrics.observe_request(model.tenant, outcome, seconds, texts, sum(tokens))


def _response(
    model: ServedModel,
    mode: Mode,
    ticket: Ticket,
    outcomes: list[Outcome],
    truncated: list[bool],
) -> ClassifyResponse:
    labels = list(model.labels)
    tokens = sum(o.tokens for o in outcomes)
    slowest = max(outcomes, key=lambda o: o.queue_s + o.retrieve_s + o.load_s + o.compute_s)
    found = _together(outcomes)
    fallback = next((o.fallback for o in outcomes if o.fallback is not None), None)
    data: list[Prediction] = []
    for i, (outcome, cut) in enumerate(zip(outcomes, truncated, strict=True)):
        if len(outcome.values) != len(labels):
            raise NotFound(
                f"{model.id} changed its labels while the request waited.",
                remedy="Ask again.",
                code="model_changed",
            )
        best = max(range(len(labels)), key=outcome.values.__getitem__)
        data.append(
            Prediction(
                index=i,
                label=labels[best],
                probs=list(outcome.values),
                num_classes=len(labels),
                truncated=cut,
            )
        )
    return ClassifyResponse(
        id=f"classify-{secrets.token_hex(8)}",
        created=int(time.time()),
        model=model.id,
        version=model.version,
        data=data,
        labels=labels,
        usage=Usage(prompt_tokens=tokens, total_tokens=tokens),
        timing=Timing(
            queue_s=slowest.queue_s,
            retrieve_s=slowest.retrieve_s,
            load_s=slowest.load_s,
            compute_s=slowest.compute_s,
            hit_rate=None if found is None else found.hits / found.tokens,
            cached_rate=None if found is None else found.cached / found.tokens,
            backed_off_rate=None if found is None else found.backed_off / found.tokens,
            computed_rate=None if found is None else found.computed / found.tokens,
            batch_size=slowest.batch_size,
            batch_models=slowest.batch_models,
            tier=ticket.tier,
            mode=mode if fallback is None else "exact",
            fallback=fallback,
        ),
    )


def _together(outcomes: list[Outcome]) -> Lookups | None:
    """All texts' lookups in one; None in exact mode."""
    each = [o.lookups for o in outcomes if o.lookups is not None]
    if not each:
        return None
    return Lookups(
        hits=sum(f.hits for f in each),
        cached=sum(f.cached for f in each),
        backed_off=sum(f.backed_off for f in each),
        computed=sum(f.computed for f in each),
    )
