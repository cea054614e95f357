from __future__ import annotations

from typing import Any

from engine.schema import (
    ClassifyResponse,
    Embedding,
    EmbeddingsResponse,
    Numbers,
    Prediction,
    PredictResponse,
    Span,
    TaggedText,
    TagResponse,
    Timing,
    Usage,
)
from hmi_tui.asking import Reply
from hmi_tui.widgets.answer_lines import answer_lines

ABOUT: dict[str, Any] = {
    "model": "acme/a",
    "usage": Usage(prompt_tokens=3),
    "timing": Timing(
        queue_s=0,
        retrieve_s=0,
        load_s=0,
        compute_s=0,
        hit_rate=None,
        batch_size=1,
        tier="disk",
        mode="exact",
    ),
}
NAMED = {"id": "x", "created": 1, **ABOUT}


def lines(answer: Reply, width: int = 60) -> list[str]:
    return [line.plain for line in answer_lines(answer, width)]


def test_every_label_that_holds_is_marked() -> None:
    one = Prediction(index=0, label="b", probs=[0.7, 0.9, 0.1], num_classes=3, labels=["b", "a"])
    shown = lines(ClassifyResponse(data=[one], labels=["a", "b", "c"], **NAMED))
    assert [line[:3] for line in shown] == ["› b", "› a", "  c"]  # noqa: RUF001


def test_spans_are_shown_with_their_words() -> None:
    span = Span(start=0, end=8, label="person", score=0.983, text="Ann\nLee")
    shown = lines(TagResponse(data=[TaggedText(index=0, spans=[span])], labels=[], **NAMED))
    assert len(shown) == 1
    assert shown[0].startswith("person Ann Lee")
    assert "98.3 %" in shown[0]
    none = TagResponse(data=[TaggedText(index=0, spans=[], truncated=True)], labels=[], **NAMED)
    assert lines(none)[0] == "No spans."
    assert "only its beginning" in lines(none)[1]


def test_numbers_are_shown_by_name() -> None:
    answer = PredictResponse(
        data=[Numbers(index=0, values=[4.25, 12000.0])], outputs=["stars", "price"], **NAMED
    )
    assert lines(answer) == ["stars  4.25", "price  12000"]


def test_a_vector_is_shown_by_its_size_and_beginning() -> None:
    answer = EmbeddingsResponse(data=[Embedding(index=0, embedding=[0.6, -0.8])], **ABOUT)
    assert lines(answer) == ["2 dimensions, length 1.000", "0.600, -0.800"]
    long = EmbeddingsResponse(data=[Embedding(index=0, embedding=[0.05] * 384)], **ABOUT)
    assert lines(long)[0].startswith("384 dimensions")
    assert lines(long)[-1] == "and so on"
    assert max(map(len, lines(long))) <= 60
