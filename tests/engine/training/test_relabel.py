from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.serving.work import TaskName
from engine.training.relabel import relabelled
from store.dataset_files import Example, Target


@pytest.mark.parametrize(
    ("task", "before", "after"),
    [
        ("classify", "1", "negative"),
        ("classify", "neutral", "neutral"),
        ("multilabel", ("1", "loud", "2"), ("negative", "loud")),
        ("multilabel", (), ()),
        ("tokens", ((0, 3, "1"), (4, 6, "place")), ((0, 3, "negative"), (4, 6, "place"))),
    ],
)
def test_a_label_that_is_mapped_gets_its_new_name(
    task: TaskName, before: Target, after: Target
) -> None:
    other: list[Example] = [("one", "1"), ("two", "2")]
    rows = list(relabelled([("text", before), *other], {"1": "negative", "2": "negative"}, task))
    assert rows == [("text", after), ("one", "negative"), ("two", "negative")]


def test_a_mapped_label_that_no_row_has_is_a_mistake() -> None:
    rows = relabelled([("text", "1")], {"1": "yes", "O": "no"}, "classify")
    with pytest.raises(BadInput, match="No row has a label that --map names: O"):
        list(rows)


def test_numbers_are_not_mapped() -> None:
    with pytest.raises(BadInput, match="have no names to be mapped"):
        list(relabelled([("text", (1.0,))], {"1.0": "2.0"}, "regression"))


def test_no_label_loses_its_name() -> None:
    with pytest.raises(BadInput, match="without a name"):
        list(relabelled([("text", "1")], {"1": " "}, "classify"))
