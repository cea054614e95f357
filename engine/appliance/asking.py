"""What all calls have in common that ask a vPLM about texts: read, queue, wait, count."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.appliance.calls import Calls
from engine.appliance.serving_stack import ServingStack
from engine.errors import BadInput, HmiError, QueueFull
from engine.model.backbone import Backbone
from engine.model.reading import Reading, Text, read_texts, read_words
from engine.serving.work import Mode, Outcome, ServedModel, TaskName, Ticket, Work
from store.errors import StoreError

_OFF_LOOP = 2_000
"""Characters beyond which tokenising would hold up the event loop."""

_ROUTES: dict[TaskName, str] = {
    "classify": "POST /v1/classify (hmi classify)",
    "multilabel": "POST /v1/classify (hmi classify)",
    "pair": "POST /v1/classify (hmi classify)",
    "tokens": "POST /v1/tag (hmi tag)",
    "regression": "POST /v1/predict (hmi predict)",
    "embedding": "POST /v1/embeddings (hmi embed)",
    "generate": "POST /v1/completions (hmi generate)",
}
_NOUNS: dict[TaskName, str] = {
    "classify": "classifies texts",
    "multilabel": "gives texts labels",
    "pair": "classifies pairs of texts",
    "tokens": "marks spans",
    "regression": "predicts numbers",
    "embedding": "embeds texts",
    "generate": "generates text",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was answered: by what, on which backbone, and what of each text."""

    model: ServedModel
    backbone: Backbone
    mode: Mode
    ticket: Ticket
    readings: list[Reading]
    outcomes: list[Outcome]

    @property
    def tokens(self) -> int:
        return sum(outcome.tokens for outcome in self.outcomes)


class Asking(Calls):
    async def _asked(
        self,
        vplm: str,
        tasks: tuple[TaskName, ...],
        texts: Sequence[Text],
        mode: Mode | None,
        *,
        explain: bool = False,
    ) -> Asked:
        """The outcomes of `texts` by a vPLM of one of `tasks`. BadInput if it is of another, or
        was given pairs where it reads texts, or the other way round."""
        core, began = self._core, time.perf_counter()
        model = core.models.take(vplm)
        check_task(model, tasks, texts)
        with self._counted(model, len(texts), began) as tokens:
            while True:
                chosen: Mode = mode or model.mode
                try:
                    async with core.backbones.asked(model.backbone) as stack:
                        # By that backbone's tokenizer: another's ids would be other words.
                        readings = await _read(stack.backbone, model.task, texts)
                        ticket = Ticket(len(texts), stack.tiers.tier(model.adapter))
                        outcomes = await ask_stack(
                            stack, model, chosen, readings, ticket, explain=explain
                        )
                    break
                except (HmiError, StoreError):
                    # It may have been retrained or moved while the request waited, and what it
                    # was before be gone; then it is asked as it is now.
                    now = core.models.take(vplm)
                    if now == model:
                        raise
                    model = now
                    check_task(model, tasks, texts)
            found = Asked(model, stack.backbone, chosen, ticket, readings, outcomes)
            tokens.append(found.tokens)
        return found

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
        except (asyncio.CancelledError, GeneratorExit):
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


async def ask_stack(
    stack: ServingStack,
    model: ServedModel,
    mode: Mode,
    readings: list[Reading],
    ticket: Ticket,
    *,
    explain: bool,
) -> list[Outcome]:
    """The outcomes of `readings`, which the stack's own tokenizer made."""
    works = [
        Work(
            model,
            mode,
            reading.ids,
            ticket,
            i,
            explain=explain,
            second=reading.second,
            words=reading.words,
        )
        for i, reading in enumerate(readings)
    ]
    # Before it is queued: its adapter is on the way when a batch is made up.
    stack.tiers.want(model.adapter)
    try:
        stack.queue.offer(works)
        # Cancelling this call (the client is gone) cancels the ticket, which frees its place.
        return await asyncio.wrap_future(ticket.future)
    finally:
        stack.tiers.unwant(model.adapter)


async def _read(backbone: Backbone, task: TaskName, texts: Sequence[Text]) -> list[Reading]:
    def read() -> list[Reading]:
        if task == "tokens":
            return read_words(backbone, [text for text in texts if isinstance(text, str)])
        return read_texts(backbone, texts)

    if sum(len(t) if isinstance(t, str) else len(t[0]) + len(t[1]) for t in texts) < _OFF_LOOP:
        return read()
    return await asyncio.to_thread(read)


def check_task(model: ServedModel, tasks: tuple[TaskName, ...], texts: Sequence[Text]) -> None:
    task = model.task
    if task not in tasks:
        raise BadInput(
            f'"{model.id}" {_NOUNS[task]}, which is not asked for here.',
            remedy=f"Ask it with {_ROUTES[task]}.",
            code="wrong_task",
        )
    if task == "regression":
        return
    for index, text in enumerate(texts):
        if isinstance(text, str) == (task == "pair"):
            raise BadInput(
                f'"{model.id}" {_NOUNS[task]}; input[{index}] is '
                + ("a single text." if task == "pair" else "a pair of texts."),
                remedy='Send {"text": ..., "text_pair": ...}.'
                if task == "pair"
                else "Send a text, or ask a vPLM made for pairs (hmi vplm create --task pair).",
                code="wrong_input",
            )
