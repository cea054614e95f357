"""Texts, or prompts with their completions: what comes next, token after token."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput
from engine.knowledge.perplexity import token_losses
from engine.model.backbone import Backbone
from engine.model.decoder import Decoder
from engine.model.packing import Packing
from engine.model.reading import Reading
from engine.training.examples import TextExample
from engine.training.language_rows import foretold, held_out, language_rows, packs
from engine.training.report import LIKELIHOOD
from engine.training.tasks.task import Score
from store.dataset_files import Example

_HOPELESS = 100.0
"""Nats a token; guessing blindly among a million costs 14."""


class Continuation:
    """An answer is the loss of one learnt token, which the decoder's own head says; the adapter's
    has no part in it.

    A row is an example, or a part of one that is longer than the decoder reads. Versions are
    compared by the likelihood of a token, the inverse of perplexity: more is better.
    """

    metric = LIKELIHOOD
    scale = None
    outputs = 1

    def __init__(self, decoder: Decoder, rows: Sequence[Example]) -> None:
        if decoder.end is None:
            raise BadInput(
                f"{decoder.checkpoint.name} has no token that ends a text, so none can be learnt.",
                remedy="Name one in its tokenizer_config.json (eos_token).",
            )
        self._decoder = decoder
        examples = [TextExample.of(row) for row in rows]
        self._examples = len(examples)
        self._rows = language_rows(examples, decoder.tokenize, decoder.end, decoder.max_tokens)

    def split(self, seed: int) -> tuple[list[int], list[int]]:
        _, held = held_out(self._examples, seed)
        kept = set(held)
        parts: tuple[list[int], list[int]] = ([], [])
        for number, row in enumerate(self._rows):
            parts[row.example in kept].append(number)
        return parts

    def batches(self, rows: Sequence[int], size: int, rng: np.random.Generator) -> list[list[int]]:
        """Packs of as many tokens as `size` rows have on average."""
        sizes = [len(self._rows[row]) for row in rows]
        room = max(max(sizes), math.ceil(size * sum(sizes) / len(sizes)))
        return [[rows[i] for i in pack] for pack in packs(sizes, room, rng)]

    def read(self, _backbone: Backbone) -> list[Reading]:
        return [Reading(row.ids.tolist(), cut=False) for row in self._rows]

    def answers(
        self, top: Tensor, _packing: Packing, rows: Sequence[int], _head: Tensor, _bias: Tensor, /
    ) -> Tensor:
        places, tokens = foretold([self._rows[row] for row in rows])
        states = top[torch.from_numpy(places).to(top.device)]
        return token_losses(self._decoder, states, torch.from_numpy(tokens).to(top.device))[:, None]

    def loss(self, answers: Tensor, _rows: Sequence[int], /) -> Tensor:
        return answers.mean()

    def score(self, answers: Tensor, _rows: Sequence[int], /) -> Score:
        # Beyond that no number is left of the perplexity; whoever comes there has learnt nothing.
        loss = min(float(answers.double().nan_to_num(_HOPELESS).mean()), _HOPELESS)
        return Score(math.exp(-loss), {"likelihood": math.exp(-loss), "perplexity": math.exp(loss)})
