"""A completion request in the engine's own values, and token reports in the request's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.errors import BadInput
from engine.schema.completions import CompletionLogprobs, CompletionRequest
from engine.serving.generation.chance import seed_of
from engine.serving.generation.detokenize import Detokenizer, TokenBytes
from engine.serving.generation.sampling import Drawn
from engine.serving.generation.settings import SamplingSettings


def settings_of(request: CompletionRequest, seed: int, index: int) -> SamplingSettings:
    """How the `index`-th continuation of a prompt is drawn; `seed` is the request's, or one made
    up for it. A prompt's text does not depend on which others are in the request."""
    return SamplingSettings(
        seed=seed_of(seed, index),
        temperature=request.temperature,
        top_k=max(0, request.top_k),
        top_p=request.top_p,
        min_p=request.min_p,
        repetition=request.repetition_penalty,
        frequency=request.frequency_penalty,
        presence=request.presence_penalty,
        bias=tuple(sorted((request.logit_bias or {}).items())),
        logprobs=request.logprobs,
    )


def fit_prompt(
    ids: Sequence[int], context: int, max_tokens: int, keep: int | None = None
) -> list[int]:
    """The prompt's tokens, which leave room for `max_tokens` in a context of `context`.

    `keep` is the request's truncate_prompt_tokens: None refuses what is too long, a number keeps
    that many of the last tokens, -1 as many as fit. Raises BadInput with the numbers.
    """
    room = context - max_tokens
    if room < 1:
        raise BadInput(
            f"max_tokens is {max_tokens:,}; this model reads {context:,} tokens, prompt and answer "
            "together.",
            remedy=f"Ask for at most {context - 1:,} tokens.",
            code="context_exceeded",
        )
    if keep is not None:
        ids = ids[-(room if keep == -1 else keep) :]
    if len(ids) > room:
        raise BadInput(
            f"The prompt has {len(ids):,} tokens and max_tokens is {max_tokens:,}; this model "
            f"reads {context:,} tokens in all.",
            remedy=f"Shorten the prompt to {room:,} tokens, ask for fewer, or set "
            "truncate_prompt_tokens to -1 to keep its end.",
            code="context_exceeded",
        )
    return list(ids)


@dataclass(slots=True)
class TokenReport:
    """Collects the log probabilities of one choice's tokens, in order, between its chunks."""

    tokens: TokenBytes
    _detokenizer: Detokenizer = field(init=False)
    _offset: int = 0

    def __post_init__(self) -> None:
        self._detokenizer = Detokenizer(self.tokens)

    def of(self, drawn: Sequence[Drawn]) -> CompletionLogprobs:
        """The report of the next tokens; offsets go on where the last report ended."""
        offsets = []
        for one in drawn:
            offsets.append(self._offset)
            self._offset += len(self._detokenizer.push(one.token))
        return CompletionLogprobs(
            tokens=[self.tokens.shown(one.token) for one in drawn],
            token_logprobs=[one.logprob for one in drawn],
            top_logprobs=[self._top(one) for one in drawn],
            text_offset=offsets,
        )

    def _top(self, one: Drawn) -> dict[str, float]:
        """By text, as OpenAI has it: the likeliest and, if it is none of them, the drawn token; of
        two tokens with one text the likelier counts."""
        found: dict[str, float] = {}
        for token, logprob in one.top:
            found.setdefault(self.tokens.shown(token), logprob)
        if one.logprob is not None:
            found.setdefault(self.tokens.shown(one.token), one.logprob)
        return found
