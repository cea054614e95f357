"""Prompts in, continuations out, in the shape of OpenAI's completions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.schema.base import Answer, Mode, Request, Tier
from engine.schema.inference import TokenOrigin, is_none

MAX_PROMPTS = 64
MAX_N = 16
MAX_CONTINUATIONS = 128
"""Of one request: prompts times n."""
MAX_STOPS = 16
MAX_STOP = 256
"""Characters."""
MAX_LOGPROBS = 20
MAX_BIASED = 1024

Finish = Literal["stop", "length"]
Prompt = str | list[str] | list[int] | list[list[int]]


class StreamOptions(Request):
    include_usage: bool = False
    """Whether a last chunk, without choices, says what the whole request used."""


class CompletionRequest(Request):
    """Fields are OpenAI's; top_k, min_p, repetition_penalty, ignore_eos and
    truncate_prompt_tokens are vLLM's, mode and explain are this engine's own. A field that is null
    is as one that was left out, for OpenAI's clients may send either."""

    model: str
    prompt: Prompt
    max_tokens: int = Field(16, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    """0: always the likeliest token."""
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=-1)
    """0 or -1: all."""
    min_p: float = Field(0.0, ge=0, le=1)
    repetition_penalty: float = Field(1.0, ge=0.01, le=10)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    logit_bias: dict[int, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MAX_BIASED
    )
    """By token id."""
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    """None: another text each time."""
    n: int = Field(1, ge=1, le=MAX_N)
    """Continuations of each prompt."""
    best_of: int | None = None
    stop: str | list[str] | None = None
    logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)
    echo: bool = False
    suffix: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    truncate_prompt_tokens: int | None = None
    """Read only the last so many tokens of a prompt; -1: as many as leave room for max_tokens."""
    ignore_eos: bool = False
    """Whether to go on where the model ends its text."""
    mode: Mode | None = None
    explain: bool = False
    """Whether the answer is to say where each token's row came from."""
    user: str | None = None
    """Taken and not looked at."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if each is not None}

    @field_validator("prompt", mode="before")
    @classmethod
    def _texts_or_tokens(cls, value: object) -> object:
        # Said once, instead of once for each way in which it might have been right.
        parts = value if isinstance(value, list) else [value]
        rows = [part if isinstance(part, list) else [part] for part in parts]
        texts = all(isinstance(part, str) for part in parts)
        tokens = all(isinstance(t, int) and not isinstance(t, bool) for row in rows for t in row)
        alike = len({isinstance(part, list) for part in parts}) <= 1
        if not texts and not (isinstance(value, list) and tokens and alike):
            raise ValueError("give a text, a list of texts, a list of token ids, or a list of such")
        return value

    @field_validator("prompt")
    @classmethod
    def _some_prompt(cls, value: Prompt) -> Prompt:
        prompts = _prompts(value)
        if not prompts:
            raise ValueError("prompt is an empty list; give at least one prompt")
        if len(prompts) > MAX_PROMPTS:
            raise ValueError(
                f"prompt holds {len(prompts)} prompts; at most {MAX_PROMPTS} a request"
            )
        for index, one in enumerate(prompts):
            if not one:
                raise ValueError(
                    f"prompt[{index}] is empty; give a text to go on from, or the model's token "
                    "that begins a text"
                )
            if isinstance(one, list) and min(one) < 0:
                raise ValueError(f"prompt[{index}] has token {min(one)}; ids are 0 and above")
        return value

    @field_validator("stop", mode="before")
    @classmethod
    def _stop_is_text(cls, value: object) -> object:
        if value is None:
            return value
        stops = value if isinstance(value, list) else [value]
        if not all(isinstance(stop, str) for stop in stops):
            raise ValueError("give a text or a list of texts")
        if len(stops) > MAX_STOPS:
            raise ValueError(f"{len(stops)} stop strings are given; at most {MAX_STOPS}")
        if "" in stops:
            raise ValueError("a stop string is empty; it would stop every text before it began")
        if max(map(len, stops), default=0) > MAX_STOP:
            raise ValueError(f"a stop string is longer than {MAX_STOP} characters")
        return value

    @field_validator("truncate_prompt_tokens")
    @classmethod
    def _some_tokens_left(cls, value: int | None) -> int | None:
        if value is not None and value != -1 and value < 1:
            raise ValueError("give -1 or at least 1")
        return value

    @model_validator(mode="after")
    def _what_is_not_done(self) -> CompletionRequest:
        if self.suffix is not None:
            raise ValueError("suffix is not supported: a decoder only goes on from a prompt")
        if self.best_of is not None and self.best_of != self.n:
            raise ValueError("best_of other than n is not supported; ask for n and choose yourself")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream to be true")
        wanted = len(self.prompts) * self.n
        if wanted > MAX_CONTINUATIONS:
            raise ValueError(
                f"the request asks for {wanted} continuations ({len(self.prompts)} prompts, n "
                f"{self.n}); at most {MAX_CONTINUATIONS}"
            )
        return self

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """Each prompt, as text or as token ids."""
        return _prompts(self.prompt)

    @property
    def stops(self) -> tuple[str, ...]:
        stop = self.stop or []
        return (stop,) if isinstance(stop, str) else tuple(stop)


class CompletionLogprobs(Answer):
    """The model's own log probabilities, before penalties and temperature."""

    tokens: list[str]
    token_logprobs: list[float | None]
    """None for the first token of an echoed prompt, which nothing foretells."""
    top_logprobs: list[dict[str, float]]
    """Of each token's place: so many of the likeliest as were asked for, and the token itself."""
    text_offset: list[int]
    """Where each token's text begins, in characters of this choice's whole text."""


class CompletionChoice(Answer):
    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: Finish | None = None
    """None in a chunk that is not the choice's last."""
    origins: list[TokenOrigin] | None = Field(None, exclude_if=is_none)
    """If the request asks to explain: of the tokens that were looked up, the prompt's and then what
    was said of it, in a chunk those that are new. The last one said never is; in exact mode none
    are."""


class CompletionUsage(Answer):
    """Each prompt's tokens once, however many continuations it has."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, prompt: int, completion: int) -> CompletionUsage:
        return cls(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
        )


class CompletionTiming(Answer):
    """Seconds of the whole request, of its slowest text where there are several; shares over all
    its tokens."""

    queue_s: float
    load_s: float
    """Until its adapter's slot was its own."""
    retrieve_s: float
    """Of all its rounds together: lower layers, from tables or not."""
    compute_s: float
    """The same: upper layers and the choice of tokens."""
    first_token_s: float
    total_s: float
    hit_rate: float | None
    """Share of tokens whose n-gram was in the table; None in exact mode."""
    cached_rate: float | None = None
    """Share whose row had been computed lately."""
    backed_off_rate: float | None = None
    """Share that took the row of a shorter n-gram."""
    computed_rate: float | None = None
    """Share whose row was computed for this request; the four shares add up to 1."""
    batch_size: int
    """Texts in the fullest of its rounds."""
    batch_models: int
    """Distinct vPLMs in that round."""
    tier: Tier
    """Where the adapter was when the request was accepted."""
    mode: Mode
    fallback: str | None = None
    """Why it is exact, if plot mode was asked for."""


class Completion(Answer):
    object: Literal["text_completion"] = "text_completion"
    id: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage
    timing: CompletionTiming | None = None
    system_fingerprint: str | None = None


class CompletionChunk(Answer):
    """One event of a stream; the stream's end is the event [DONE]."""

    object: Literal["text_completion"] = "text_completion"
    id: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    """In the last chunk alone, if it was asked for."""
    timing: CompletionTiming | None = None
    """Beside `usage`."""
    system_fingerprint: str | None = None

    def event(self) -> str:
        """As a server-sent event."""
        return f"data: {self.model_dump_json()}\n\n"


STREAM_END = "data: [DONE]\n\n"


def _prompts(prompt: Prompt) -> list[str] | list[list[int]]:
    if isinstance(prompt, str):
        return [prompt]
    if prompt and isinstance(prompt[0], int):
        return [prompt]
    return prompt  # type: ignore[return-value]
