from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.knowledge.passages import varied, vocabulary
from engine.model.backbone import Backbone

FOREIGN = np.array([900, 901], dtype=np.int64)


@given(st.lists(st.integers(10, 99), max_size=60), st.integers(0, 99))
def test_a_varied_passage_is_a_short_piece_or_has_foreign_tokens(
    body: list[int], seed: int
) -> None:
    row = [1, *body, 2]
    found = varied(row, FOREIGN, np.random.default_rng(seed))
    assert (found[0], found[-1]) == (1, 2)
    inside = found[1:-1]
    if len(inside) < len(body):
        assert len(inside) <= 24
        assert any(inside == body[at : at + len(inside)] for at in range(len(body)))
    else:
        changed = [(was, now) for was, now in zip(body, inside, strict=True) if was != now]
        assert all(now in FOREIGN for _, now in changed)


def test_both_kinds_occur_and_the_row_itself_stays() -> None:
    row = [1, *range(10, 110), 2]
    before = list(row)
    rng = np.random.default_rng(0)
    found = [varied(row, FOREIGN, rng) for _ in range(40)]
    assert row == before
    lengths = {len(each) == len(row) for each in found}
    assert lengths == {True, False}
    strewn = [sum(t >= 900 for t in each) for each in found if len(each) == len(row)]
    assert 10 < np.mean(strewn) < 30


def test_the_vocabulary_is_all_that_stands_for_text(bundled: Backbone) -> None:
    ids = vocabulary(bundled)
    tokens = bundled.tokenizer.convert_ids_to_tokens(ids.tolist())
    assert {"film", "##ing", "[", "!"} <= set(tokens)
    assert not {"[CLS]", "[SEP]", "[MASK]", "[PAD]", "[unused5]"} & set(tokens)
