from __future__ import annotations

from collections import Counter

import pytest
import torch

from engine.errors import NotFound
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge, MissPolicy
from engine.knowledge.view import TableView
from engine.serving.batch import Batch, Group, form_batch
from engine.serving.stages import retrieve_stage
from engine.serving.work import Work
from tests.engine.serving.works import work


def form(works: list[Work], hplm: Hplm, miss: MissPolicy = "compute") -> tuple[Batch, Counter[str]]:
    taken: Counter[str] = Counter()

    def take(domain: str) -> Knowledge:
        taken[domain] += 1
        return Knowledge(
            domain, taken[domain], TableView(domain, (), 32), hplm.encoder, hplm.bridge
        )

    return form_batch(7, works, take, 1.5, miss), taken


def test_texts_of_one_domain_share_one_epoch_of_its_table(hplm: Hplm) -> None:
    works = [work(2, domain=d, adapter=a) for d, a in zip("xyxyx", "abcde", strict=True)]
    batch, taken = form(works, hplm)
    assert taken == {"x": 1, "y": 1}
    assert [g.knowledge.domain for g in batch.groups if g.knowledge] == ["x", "y"]
    assert [len(g.works) for g in batch.groups] == [3, 2]


def test_exact_texts_are_one_group_whatever_their_domain(hplm: Hplm) -> None:
    works = [
        work(2, domain="x", mode="exact"),
        work(3, domain="x"),
        work(2, domain="y", mode="exact"),
    ]
    batch, taken = form(works, hplm)
    assert [g.knowledge is None for g in batch.groups] == [True, False]
    assert taken == {"x": 1}
    assert len(batch.groups[0].works) == 2


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("compute", [("backoff", "ac"), ("compute", "bd")]),
        ("backoff", [("backoff", "abc"), ("compute", "d")]),
    ],
)
def test_texts_of_one_domain_are_grouped_by_miss_policy_and_share_its_epoch(
    hplm: Hplm, engine: MissPolicy, expected: list[tuple[str, str]]
) -> None:
    policies: list[MissPolicy | None] = ["backoff", None, "backoff", "compute"]
    works = [work(2, adapter=a, miss=m) for a, m in zip("abcd", policies, strict=True)]
    batch, taken = form(works, hplm, engine)
    assert [(g.miss, "".join(w.model.adapter for w in g.works)) for g in batch.groups] == expected
    assert taken == {"general": 1}
    assert len({g.knowledge.epoch for g in batch.groups if g.knowledge}) == 1


def test_exact_texts_are_one_group_whatever_their_miss_policy(hplm: Hplm) -> None:
    works = [work(2, mode="exact", miss="backoff"), work(2, mode="exact", miss="compute")]
    batch, _ = form(works, hplm)
    assert len(batch.groups) == 1


def test_a_batch_holds_each_work_once_and_each_adapter_once(hplm: Hplm) -> None:
    works = [work(i + 1, adapter=a) for i, a in enumerate("babcab")]
    batch, _ = form(works, hplm)
    assert sorted(map(id, batch.works)) == sorted(map(id, works))
    assert batch.adapters == ["a", "b", "c"]
    assert batch.tokens == 21


def test_texts_of_one_adapter_are_neighbours_shortest_first(hplm: Hplm) -> None:
    works = [work(size, adapter=a) for size, a in [(5, "a"), (1, "b"), (2, "a"), (4, "b")]]
    batch, _ = form(works, hplm)
    assert [(w.model.adapter, len(w.ids)) for w in batch.works] == [
        ("a", 2),
        ("a", 5),
        ("b", 1),
        ("b", 4),
    ]


def test_a_groups_ids_are_its_texts_one_after_the_other(hplm: Hplm) -> None:
    batch, _ = form([work(3), work(2)], hplm)
    (group,) = batch.groups
    assert group.lengths == [2, 3]
    assert group.ids.tolist() == [0, 1, 0, 1, 2]


def test_what_is_split_off_keeps_what_was_retrieved_for_it(hplm: Hplm) -> None:
    works = [
        work(i + 1, domain=d, adapter=a)
        for i, (d, a) in enumerate(zip("xyxy", "abca", strict=True))
    ]
    batch, _ = form(works, hplm)
    retrieve_stage(batch)
    before = {id(w): _rows(g, i) for g in batch.groups for i, w in enumerate(g.works)}
    rest = batch.split_off({"a"}, 8)
    assert [w.model.adapter for w in rest.works] == ["a", "a"]
    assert [w.model.adapter for w in batch.works] == ["c", "b"]
    assert (batch.rest, rest.number, rest.taken) == (rest, 8, batch.taken)
    for part in (batch, rest):
        for group in part.groups:
            for i, one in enumerate(group.works):
                assert torch.equal(_rows(group, i), before[id(one)])


def _rows(group: Group, index: int) -> torch.Tensor:
    """The rows retrieved for its work number `index`."""
    found, start = group.retrieved, sum(group.lengths[:index])
    assert found is not None
    return found.rows[found.which[start : start + group.lengths[index]]]


def test_an_unknown_domain_is_said_so() -> None:
    def take(domain: str) -> Knowledge:
        raise NotFound(domain)

    with pytest.raises(NotFound, match="elsewhere"):
        form_batch(1, [work(1, domain="elsewhere")], take, 0.0)
