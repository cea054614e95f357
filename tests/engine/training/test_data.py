from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.serving.work import TaskName
from engine.training.data import Format, check_labels, read_rows

Rows = list[tuple[str, str]]


def read(
    data: bytes | Iterable[bytes],
    format: Format = "jsonl",
    text: str = "text",
    label: str = "label",
) -> Rows:
    rows = read_rows([data] if isinstance(data, bytes) else data, format, text, label)
    return cast("Rows", list(rows))


def refused(data: bytes | Iterable[bytes], format: Format = "jsonl") -> BadInput:
    with pytest.raises(BadInput) as error:
        read(data, format)
    assert error.value.remedy
    return error.value


def chunks_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        yield data[at:cut]
        at = cut


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda t: t.strip())
rows_of = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)
cuts_of = st.lists(st.integers(0, 10_000), max_size=10)


@given(rows_of, cuts_of, st.booleans())
def test_jsonl_reads_the_same_wherever_it_is_cut(rows: Rows, cuts: list[int], bom: bool) -> None:
    lines = [json.dumps({"text": t, "label": n}, ensure_ascii=False) for t, n in rows]
    data = "\n".join(lines).encode("utf-8-sig" if bom else "utf-8")
    assert read(chunks_of(data, cuts)) == rows


@given(rows_of, cuts_of, st.booleans())
def test_csv_reads_the_same_wherever_it_is_cut(rows: Rows, cuts: list[int], bom: bool) -> None:
    rows = [(t.replace("\0", " ") + "x", n.replace("\0", " ") + "x") for t, n in rows]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("text", "label"), *rows])
    data = out.getvalue().encode("utf-8-sig" if bom else "utf-8")
    assert read(chunks_of(data, cuts), "csv") == rows


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_any_column_names_and_extra_columns_will_do(format: Format) -> None:
    data = {
        "jsonl": b'{"id": 1, "review": "a film", "stars": 5}\n',
        "csv": b"id,review,stars\r\n1,a film,5\r\n",
    }[format]
    assert read(data, format, "review", "stars") == [("a film", "5")]


def test_blank_lines_are_no_rows() -> None:
    assert read(b'\n{"text": "a", "label": "x"}\n\n  \n') == [("a", "x")]
    assert read(b"text,label\n\na,x\n\n", "csv") == [("a", "x")]


def test_a_quoted_csv_field_may_hold_commas_quotes_and_line_ends() -> None:
    assert read(b'text,label\r\n"a, ""b""\nc",x\r\n', "csv") == [('a, "b"\nc', "x")]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"nonsense", "not JSON"),
        (b'{"text": "a", "label"', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["a", "x"]', "not a JSON object"),
        (b"12", "not a JSON object"),
        (b'{"text": "a"}', "no column 'label' (columns: text)"),
        (b'{"label": "x"}', "no column 'text' (columns: label)"),
        (b"{}", "(columns: none)"),
        (b'{"text": null, "label": "x"}', "no column 'text'"),
        (b'{"text": "  ", "label": "x"}', "column 'text' is not a text or is empty"),
        (b'{"text": 5, "label": "x"}', "column 'text' is not a text or is empty"),
        (b'{"text": "a", "label": ""}', "column 'label' is empty"),
        (b'{"text": "a", "label": true}', "column 'label' is not a string or an integer"),
        (b'{"text": "a", "label": 1.5}', "column 'label' is not a string or an integer"),
        (b'{"text": "a", "label": ["x"]}', "column 'label' is not a string or an integer"),
    ],
)
def test_a_bad_jsonl_row_is_named_with_its_line(line: bytes, what: str) -> None:
    error = refused(b'{"text": "a", "label": "x"}\n' + line + b"\n")
    assert error.code == "bad_rows"
    assert "1 bad rows" in error.detail
    assert "line 2: " in error.detail
    assert what in error.detail


def test_all_bad_rows_are_counted_and_the_first_ten_shown() -> None:
    error = refused(b'{"text": "a", "label": "x"}\n' + b"oops\n" * 25)
    assert "25 bad rows" in error.detail
    assert "line 11:" in error.detail
    assert "line 12:" not in error.detail
    assert "(and 15 more)" in error.detail


def test_a_short_csv_row_is_named_with_its_line() -> None:
    error = refused(b"text,label\na,x\nb\nc,y,z\n", "csv")
    assert error.code == "bad_rows"
    assert "line 3: no column 'label'" in error.detail
    assert "line 2" not in error.detail


def test_a_missing_csv_column_is_said_at_once_with_those_there_are() -> None:
    error = refused(b"body,label\na,x\n", "csv")
    assert error.code == "missing_column"
    assert "'text'" in error.detail
    assert "body, label" in error.detail
    assert "--text" in error.remedy


def test_an_empty_csv_has_no_columns_and_empty_jsonl_no_rows() -> None:
    assert refused(b"", "csv").code == "missing_column"
    assert read(b"") == []


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_text_that_is_not_utf8_is_refused(format: Format) -> None:
    head = {"jsonl": b'{"text": "caf', "csv": b"text,label\ncaf"}[format]
    assert refused([head, b"\xe9", b'", "label": "x"}\n'], format).code == "not_utf8"


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_character_cut_off_at_the_end_is_refused(format: Format) -> None:
    head = {"jsonl": b'{"text": "a", "label": "x"}\n', "csv": b"text,label\na,x\n"}[format]
    assert refused([head, "é".encode()[:1]], format).code == "not_utf8"


def test_an_open_quote_in_csv_is_refused() -> None:
    assert refused(b'text,label\n"a,x\n', "csv").code == "bad_csv"


def test_a_dataset_must_have_two_labels_all_of_them_known() -> None:
    check_labels({"a": 3, "b": 1}, ("a", "b", "c"), "acme/x")
    for found in ({}, {"a": 5}):
        with pytest.raises(BadInput) as error:
            check_labels(found, ("a", "b"), "acme/x")
        assert error.value.code == "one_label"
    with pytest.raises(BadInput, match="acme/x does not know: d, e") as error:
        check_labels({"a": 1, "e": 1, "d": 1}, ("a", "b"), "acme/x")
    assert error.value.code == "unknown_labels"


def test_many_unknown_labels_are_not_all_listed() -> None:
    known = tuple(f"k{i}" for i in range(50))
    with pytest.raises(BadInput) as error:
        check_labels({f"u{i}": 1 for i in range(50)}, known, "acme/x")
    assert len(error.value.detail) < 300


def test_a_jsonl_without_the_column_is_refused_at_its_first_row() -> None:
    body = b'{"sentence": "a", "label": "x"}\n' * 1000
    with pytest.raises(BadInput, match="no column 'text'; it has sentence, label") as caught:
        list(read_rows([body], "jsonl", "text", "label"))
    assert caught.value.code == "missing_column"
    assert "--text" in caught.value.remedy


def kinds(
    task: TaskName, *rows: Mapping[str, object], csv_body: bytes | None = None
) -> list[object]:
    """What rows of a `task` teach."""
    body = csv_body or "\n".join(map(json.dumps, rows)).encode()
    written: Format = "jsonl" if csv_body is None else "csv"
    return [target for _, target in read_rows([body], written, "text", "label", task)]


def test_several_labels_are_a_list_or_in_csv_separated_by_bars_and_may_be_none() -> None:
    rows = ({"text": "a", "label": ["x", "y", "x"]}, {"text": "b", "label": []})
    assert kinds("multilabel", *rows) == [("x", "y"), ()]
    assert kinds("multilabel", csv_body=b"text,label\na,x | y\nb,\n") == [("x", "y"), ()]


def test_numbers_are_one_or_as_many_in_each_row() -> None:
    assert kinds("regression", {"text": "a", "label": 3}) == [(3.0,)]
    assert kinds("regression", csv_body=b"text,label\na,1.5|-2\nb,0|1e3\n") == [
        (1.5, -2.0),
        (0.0, 1000.0),
    ]


def test_two_texts_come_from_two_columns() -> None:
    body = b'{"text": "a", "text_pair": "b", "label": "x"}'
    assert list(read_rows([body], "jsonl", "text", "label", "pair")) == [(("a", "b"), "x")]
    numbered = b"text,other,label\na,b,4\n"
    found = read_rows([numbered], "csv", "text", "label", "regression", "other")
    assert list(found) == [(("a", "b"), (4.0,))]
    with pytest.raises(BadInput, match="no column 'text_pair'") as error:
        list(read_rows([b'{"text": "a", "label": "x"}'], "jsonl", "text", "label", "pair"))
    assert "--text-pair" in error.value.remedy


def test_spans_come_as_such_or_as_words_with_tags() -> None:
    marked = {"text": "Ann met Bob", "label": [{"start": 8, "end": 11, "label": "PER"}]}
    tagged = {"text": ["Ann", "Lee", "met", "Bob"], "label": ["B-PER", "I-PER", "O", "B-PER"]}
    plain = {"text": ["a", "dog"], "label": ["article", "noun"]}
    assert kinds("tokens", marked, tagged, plain) == [
        ((8, 11, "PER"),),
        ((0, 7, "PER"), (12, 15, "PER")),
        ((0, 1, "article"), (2, 5, "noun")),
    ]
    rows = read_rows([b"text,label\nAnn met Bob,B-PER O B-PER\n"], "csv", "text", "label", "tokens")
    assert list(rows) == [("Ann met Bob", ((0, 3, "PER"), (8, 11, "PER")))]


@pytest.mark.parametrize(
    ("task", "row", "what"),
    [
        ("multilabel", {"text": "a", "label": 3}, "not a list of labels"),
        ("multilabel", {"text": "a", "label": [["x"]]}, "not a string or an integer"),
        ("regression", {"text": "a", "label": "many"}, "'many', which is not a finite number"),
        ("regression", {"text": "a", "label": True}, "True, which is not a finite number"),
        ("regression", {"text": "a", "label": "nan"}, "not a finite number"),
        ("regression", {"text": "a", "label": [1, 2]}, "has 2 numbers; the first row has 1"),
        ("pair", {"text": "a", "text_pair": " ", "label": "x"}, "'text_pair' is not a text"),
        ("tokens", {"text": "a b", "label": [[0, 4, "x"]]}, "span 0 to 4 does not lie in the text"),
        ("tokens", {"text": "a b", "label": [[0, 2, "x"], [1, 3, "x"]]}, "overlap"),
        ("tokens", {"text": "a b", "label": [[0, "x"]]}, "without start, end and label"),
        ("tokens", {"text": ["a", "b"], "label": ["x"]}, "it has 2 words and 1 tags"),
        ("tokens", {"text": "a", "label": 7}, "column 'label' is not a list of spans"),
    ],
)
def test_a_row_that_does_not_fit_its_task_is_named_with_its_line(
    task: TaskName, row: dict[str, object], what: str
) -> None:
    fine: dict[str, dict[str, object]] = {
        "multilabel": {"text": "a", "label": ["x"]},
        "regression": {"text": "a", "label": 1},
        "pair": {"text": "a", "text_pair": "b", "label": "x"},
        "tokens": {"text": "a", "label": []},
    }
    with pytest.raises(BadInput) as error:
        kinds(task, fine[task], row)
    assert error.value.code == "bad_rows"
    assert "line 2: " in error.value.detail
    assert what in error.value.detail
