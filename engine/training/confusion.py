"""Which labels a model takes for which: counts, bounded however many labels there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 24
"""Labels that are told apart; the others are one."""
OTHERS = "(others)"


def confusion(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], labels: Sequence[str]
) -> dict[str, Any]:
    """`counts[i][j]` rows of label i that were taken for label j.

    Of more than MOST labels those that are confused most stay, then the most frequent.
    """
    size = len(labels)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (targets, predicted), 1)
    if size <= MOST:
        return {"labels": list(labels), "counts": counts.tolist()}
    right = counts.diagonal()
    wrong = counts.sum(0) + counts.sum(1) - 2 * right
    ranked = np.lexsort((np.arange(size), -counts.sum(1), -wrong))
    kept = np.sort(ranked[: MOST - 1])
    place = np.full(size, MOST - 1)
    place[kept] = np.arange(len(kept))
    small = np.zeros((MOST, MOST), dtype=np.int64)
    np.add.at(small, (place[targets], place[predicted]), 1)
    return {"labels": [*(labels[i] for i in kept), OTHERS], "counts": small.tolist()}
