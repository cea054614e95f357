from __future__ import annotations

import numpy as np

from engine.training.confusion import MOST, OTHERS, confusion


def test_rows_are_right_labels_and_columns_what_they_were_taken_for() -> None:
    found = confusion(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), ("a", "b", "c"))
    assert found == {"labels": ["a", "b", "c"], "counts": [[1, 1, 0], [0, 1, 0], [1, 0, 1]]}


def test_of_very_many_labels_the_most_confused_stay_and_no_row_is_lost() -> None:
    labels = [f"l{n}" for n in range(200)]
    targets = np.repeat(np.arange(200), 5)
    predicted = targets.copy()
    predicted[targets == 150] = 7
    found = confusion(targets, predicted, labels)
    assert len(found["labels"]) == len(found["counts"]) == MOST
    assert found["labels"][-1] == OTHERS
    assert {"l7", "l150"} <= set(found["labels"])
    seven, wrong = found["labels"].index("l7"), found["labels"].index("l150")
    assert found["counts"][wrong][seven] == 5
    assert sum(map(sum, found["counts"])) == len(targets)


def test_nothing_held_out_confuses_nothing() -> None:
    empty = np.empty(0, dtype=np.int64)
    assert confusion(empty, empty, ("a", "b"))["counts"] == [[0, 0], [0, 0]]
