"""The call for generators: a prompt in, what comes next out, all at once or as it is said."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from engine.appliance.asking import Asking, check_task
from engine.appliance.completions import TokenReport, fit_prompt, settings_of
from engine.appliance.generator_stack import GeneratorStack, no_generators
from engine.appliance.timing import timing_of_texts
from engine.errors import BadInput
from engine.schema import TokenOrigin
from engine.schema.completions import (
    Completion,
    CompletionChoice,
    CompletionChunk,
    CompletionRequest,
    CompletionUsage,
)
from engine.serving.generation.continuation import Ending
from engine.serving.generation.order import Ended, Order, Said, Way
from engine.serving.work import Mode, ServedModel

_OFF_LOOP = 2_000
"""Characters beyond which tokenising would hold up the event loop."""


class _Ear:
    """Hears in the generator's thread and hands on to the event loop of the request."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard: asyncio.Queue[tuple[Order, Said | Exception]] = asyncio.Queue()

    def said(self, order: Order, said: Said) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, (order, said))

    def failed(self, order: Order, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, (order, error))


class GenerationCalls(Asking):
    async def complete(self, request: CompletionRequest) -> Completion:
        """Everything at once. Cancelling it frees what its texts hold."""
        parts: dict[int, list[CompletionChoice]] = {}
        last: CompletionChunk | None = None
        async with aclosing(self._chunks(request)) as chunks:
            async for chunk in chunks:
                last = chunk
                for choice in chunk.choices:
                    parts.setdefault(choice.index, []).append(choice)
        assert last is not None, "there is a last chunk, which says what was used"
        assert last.usage is not None
        return Completion(
            id=last.id,
            created=last.created,
            model=request.model,
            choices=[_joined(parts[index]) for index in sorted(parts)],
            usage=last.usage,
            timing=last.timing,
        )

    async def complete_stream(
        self, request: CompletionRequest
    ) -> AsyncGenerator[CompletionChunk, None]:
        """As it is said. Closing it frees what its texts hold."""
        options = request.stream_options
        wanted = options is not None and options.include_usage
        async with aclosing(self._chunks(request)) as chunks:
            async for chunk in chunks:
                if chunk.usage is None or wanted:
                    yield chunk

    async def _chunks(self, request: CompletionRequest) -> AsyncGenerator[CompletionChunk, None]:
        """A chunk a token, and one at the end with what was used."""
        core, began = self._core, time.perf_counter()
        model = core.models.take(request.model)
        check_task(model, ("generate",), ())
        generators = core.generators
        if generators is None:
            raise no_generators()
        name, created = f"cmpl-{secrets.token_hex(12)}", int(time.time())

        def chunk(*choices: CompletionChoice) -> CompletionChunk:
            return CompletionChunk(id=name, created=created, model=model.id, choices=list(choices))

        with self._counted(model, len(request.prompts) * request.n, began) as counted:
            prompts = await _prompts(generators, request)
            mode: Mode = request.mode or model.mode

            def way() -> Way:
                # Its domain may have been removed, or it moved, while the request waited.
                return generators.way(mode, core.models.take(model.id).domain)

            tier = generators.stack.tiers.tier(model.adapter)
            orders = _orders(generators, model, request, prompts, _Ear(), way)
            reports = [TokenReport(generators.generator.tokens) for _ in orders]
            begun: set[int] = set()
            ends: list[Ended] = []
            said_tokens = 0
            async with aclosing(_heard(generators, orders)) as heard:
                async for index, said in heard:
                    text = said.piece.text
                    said_tokens += 1
                    if index not in begun:
                        begun.add(index)
                        core.metrics.observe_first_token(time.perf_counter() - began)
                        if request.echo:
                            text = generators.generator.tokens.text(orders[index].prompt) + text
                    if said.ended is not None:
                        ends.append(said.ended)
                    report = None
                    if request.logprobs is not None:
                        report = reports[index].of([said.drawn])
                    yield chunk(
                        CompletionChoice(
                            index=index,
                            text=text,
                            logprobs=report,
                            finish_reason=said.piece.finish,
                            origins=_told(generators, said) if request.explain else None,
                        )
                    )
            read = sum(map(len, prompts))
            counted.append(read + said_tokens)
            last = {
                "usage": CompletionUsage.of(read, said_tokens),
                "timing": timing_of_texts(ends, tier),
            }
        yield chunk().model_copy(update=last)


async def _prompts(stack: GeneratorStack, request: CompletionRequest) -> list[list[int]]:
    """Each prompt's tokens, as many as are to be read."""
    decoder, given = stack.decoder, request.prompts
    rows: list[list[int]] = []
    texts = [prompt for prompt in given if isinstance(prompt, str)]
    if texts and sum(map(len, texts)) >= _OFF_LOOP:
        rows = await asyncio.to_thread(decoder.tokenize, texts)
    elif texts:
        rows = decoder.tokenize(texts)
    else:
        rows = [list(prompt) for prompt in given if not isinstance(prompt, str)]
    for index, row in enumerate(rows):
        if not row or max(row) >= decoder.shape.vocab:
            raise BadInput(
                f"prompt[{index}] has no token."
                if not row
                else f"prompt[{index}] has token {max(row)}; this model has tokens 0 to "
                f"{decoder.shape.vocab - 1}.",
                remedy="Give some text to go on from, or tokens of this model's own vocabulary.",
                code="empty_prompt" if not row else "unknown_token",
            )
    keep = request.truncate_prompt_tokens
    return [fit_prompt(row, decoder.max_tokens, request.max_tokens, keep) for row in rows]


def _orders(
    stack: GeneratorStack,
    model: ServedModel,
    request: CompletionRequest,
    prompts: list[list[int]],
    ear: _Ear,
    way: Callable[[], Way],
) -> list[Order]:
    """n of each prompt, in order. BadInput for what this model cannot do."""
    if request.echo and request.logprobs is not None:
        raise BadInput(
            "echo does not go with logprobs: a prompt's own are not computed.",
            remedy="Leave one of them out.",
            code="not_supported",
        )
    seed = secrets.randbits(63) if request.seed is None else request.seed
    decoder, orders = stack.decoder, []
    for prompt in prompts:
        ending = Ending(
            request.max_tokens,
            decoder.max_tokens - len(prompt),
            request.stops,
            None if request.ignore_eos else decoder.end,
        )
        for index in range(request.n):
            settings = settings_of(request, seed, index)
            settings.check_vocabulary(decoder.shape.vocab)
            orders.append(
                Order(
                    model.tenant,
                    tuple(prompt),
                    settings,
                    ending,
                    ear,
                    way,
                    model.adapter,
                    request.explain,
                )
            )
    return orders


async def _heard(
    stack: GeneratorStack, orders: list[Order]
) -> AsyncGenerator[tuple[int, Said], None]:
    """What is said of `orders`, with which of them; the first failure is raised."""
    ear = orders[0].listener
    assert isinstance(ear, _Ear)
    places = {id(order): index for index, order in enumerate(orders)}
    stack.generator.offer(orders)
    left = len(orders)
    try:
        while left:
            order, what = await ear.heard.get()
            if isinstance(what, Exception):
                raise what
            left -= what.ended is not None
            yield places[id(order)], what
    finally:
        if left:
            stack.generator.give_up(orders)


def _joined(parts: list[CompletionChoice]) -> CompletionChoice:
    """One choice of all its chunks."""
    reports = [part.logprobs for part in parts if part.logprobs is not None]
    report = None
    if reports:
        report = reports[0].model_copy(
            update={
                name: [each for one in reports for each in getattr(one, name)]
                for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
            }
        )
    origins = None
    if parts[0].origins is not None:
        origins = [origin for part in parts for origin in part.origins or ()]
    return CompletionChoice(
        index=parts[0].index,
        text="".join(part.text for part in parts),
        logprobs=report,
        finish_reason=parts[-1].finish_reason,
        origins=origins,
    )


def _told(generators: GeneratorStack, said: Said) -> list[TokenOrigin]:
    """Where the rows came from that were looked up for a token."""
    shown = generators.generator.tokens.shown
    return [
        TokenOrigin(text=shown(token), source=origin.source, node=origin.node)
        for token, origin in said.read
    ]
