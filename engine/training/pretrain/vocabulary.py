"""A byte-level BPE tokenizer learnt from a text: every string has tokens, and they give it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from engine.training.pretrain.corpus import Ids

END = "<|endoftext|>"
"""Id 0. Stands before every passage, so it begins a text and ends one, as in GPT-2."""
LEAST = 257
"""One token a byte, and END."""


def learn_vocabulary(texts: Sequence[str], size: int) -> Any:
    """A `tokenizers.Tokenizer` of at most `size` tokens, the pairs most frequent in `texts`."""
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def rows_of(tokenizer: Any, texts: Sequence[str]) -> list[Ids]:
    """The tokens of each text, END before them."""
    end = tokenizer.token_to_id(END)
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [np.array([end, *encoding.ids], dtype=np.int64) for encoding in found]
