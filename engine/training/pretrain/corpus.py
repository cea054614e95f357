"""A text to learn from: read whole, cut into passages, turned into windows of tokens."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput, NotFound

Ids = NDArray[np.int64]
PASSAGE = 2_000
"""Characters after which a passage ends with its line, and twice as many where only a blank line
ends it well."""
HELD_OUT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Corpus:
    """A running text and the sum of its bytes, by which a run knows that it is the same."""

    text: str
    sha256: str

    @property
    def bytes(self) -> int:
        return len(self.text.encode())


def read_corpus(path: Path) -> Corpus:
    """The UTF-8 text in `path`, plain or .gz. Raises NotFound or BadInput."""
    opener = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opener(path, "rb") as file:
            content = file.read()
        text = content.decode("utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no text at {path}.", remedy="Check the path.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(
            f"{path} is not a whole gzip file: {error}.", remedy="Copy it again.", code="bad_gzip"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path} is not UTF-8 text: {error}.",
            remedy="Convert it (iconv -t UTF-8).",
            code="not_utf8",
        ) from error
    if not text.strip():
        raise BadInput(f"{path} holds no text.", remedy="Give one that does.", code="no_text")
    return Corpus(text, hashlib.sha256(content).hexdigest())


def passages(text: str, characters: int = PASSAGE) -> list[str]:
    """`text` in pieces of whole lines that give `text` again when they are joined.

    A piece of `characters` ends before a blank line; one of twice as many, with any line.
    """
    found: list[str] = []
    lines: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        if size >= characters and (line == "\n" or size >= 2 * characters):
            found.append("".join(lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    return [*found, "".join(lines)] if lines else found


def held_apart(rows: Sequence[Ids]) -> tuple[list[Ids], list[Ids]]:
    """(learnt from, held out): every fiftieth row is held out. BadInput if that leaves none."""
    if len(rows) <= HELD_OUT_EVERY:
        raise BadInput(
            f"The text has {len(rows)} passages of about {PASSAGE:,} characters; pretraining needs "
            f"at least {HELD_OUT_EVERY + 1}.",
            remedy="Give a longer text.",
            code="corpus_too_small",
        )
    learnt = [row for i, row in enumerate(rows) if i % HELD_OUT_EVERY]
    return learnt, list(rows[::HELD_OUT_EVERY])


def batches(rows: Sequence[Ids], context: int, size: int, seed: int, turn: int) -> Iterator[Ids]:
    """One pass over `rows` (the `turn`-th): windows (size, context + 1), the last column being
    only a target.

    Passages come in another order each time and are cut at other places; what does not fill a
    batch is left for the next pass.
    """
    rng = np.random.default_rng((seed, turn))
    stream = np.concatenate([rows[i] for i in rng.permutation(len(rows))])
    stream = stream[int(rng.integers(0, context)) :]
    windows = (len(stream) - 1) // context
    if windows < size:
        raise BadInput(
            f"The text has {len(stream):,} tokens; a batch takes {size * context:,}.",
            remedy="Give a longer text, or a smaller --batch-tokens.",
            code="corpus_too_small",
        )
    starts = rng.permutation(windows) * context
    for at in range(0, windows - size + 1, size):
        yield np.stack([stream[s : s + context + 1] for s in starts[at : at + size]])
