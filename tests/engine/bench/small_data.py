"""Small datasets and corpora in the layout that --data takes, from the words of the test model."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

GOOD = ("good", "great")
BAD = ("bad", "dull")
FRAME = ("the", "film", "movie", "was", "is", "very", "and", "it", "plot", "a")


def texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Rows whose label one word of the text decides."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str]] = []
    for _ in range(count):
        label = "good" if rng.random() < 0.5 else "bad"
        words = list(rng.choice(FRAME, rng.integers(3, 9)))
        words.insert(
            int(rng.integers(0, len(words))), str(rng.choice(GOOD if label == "good" else BAD))
        )
        rows.append((" ".join(words), label))
    return rows


def write_rows(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": t, "label": label}) + "\n" for t, label in rows)


def write_corpus(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
