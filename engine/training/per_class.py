"""How each label fares among held-out rows: precision, recall, F1 and support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 256
"""Labels that are told, those with the lowest F1 first to be kept."""


def per_class(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """For each label its `support` (held-out rows that have it), the share of the rows taken for
    it that are right (`precision`), of its rows that are found (`recall`), and their harmonic mean
    (`f1`); None where there is nothing to divide by."""
    size = len(labels)
    support = np.bincount(targets, minlength=size)
    taken = np.bincount(predicted, minlength=size)
    right = np.bincount(targets[targets == predicted], minlength=size)
    found = [
        {
            "label": label,
            "precision": _share(right[i], taken[i]),
            "recall": _share(right[i], support[i]),
            "f1": _share(2 * right[i], taken[i] + support[i]),
            "support": int(support[i]),
        }
        for i, label in enumerate(labels)
    ]
    if size <= MOST:
        return found
    f1 = 2 * right / np.maximum(taken + support, 1)
    worst = np.sort(np.argsort(f1, kind="stable")[:MOST])
    return [found[i] for i in worst]


def _share(part: int, whole: int) -> float | None:
    return None if whole == 0 else round(float(part) / float(whole), 5)
