from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.training.examples import ExampleFormat, TextExample, read_examples

texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda t: t.strip())
examples_of = st.lists(st.builds(TextExample, st.just("") | texts, texts), min_size=1, max_size=8)
cuts_of = st.lists(st.integers(0, 10_000), max_size=10)


def read(data: bytes, format: ExampleFormat = "jsonl") -> list[TextExample]:
    return list(read_examples([data], format))


def refused(data: bytes, format: ExampleFormat = "jsonl") -> BadInput:
    with pytest.raises(BadInput) as error:
        read(data, format)
    assert error.value.remedy
    return error.value


def chunks_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        yield data[at:cut]
        at = cut


@settings(deadline=None)
@given(examples_of, cuts_of, st.booleans(), st.booleans())
def test_jsonl_reads_the_same_wherever_it_is_cut(
    examples: list[TextExample], cuts: list[int], bom: bool, plain: bool
) -> None:
    rows = [{"prompt": one.prompt, "completion": one.completion} for one in examples]
    data = "\n".join(json.dumps(row, ensure_ascii=not plain) for row in rows)
    chunks = chunks_of(data.encode("utf-8-sig" if bom else "utf-8"), cuts)
    assert list(read_examples(chunks, "jsonl")) == examples


def test_a_text_is_learnt_whole_and_other_fields_are_not_looked_at() -> None:
    data = b'{"text": "a b", "id": 7}\n\n{"completion": "c", "prompt": null}'
    assert read(data) == [TextExample("", "a b"), TextExample("", "c")]


def test_paragraphs_of_plain_text_keep_their_lines() -> None:
    text = "One\nline more\r\n\n  \nTwo\x0cstill two\n".encode("utf-8-sig")
    assert read(text, "text") == [
        TextExample("", "One\nline more\r\n"),
        TextExample("", "Two\x0cstill two\n"),
    ]


def test_a_plain_text_that_no_blank_line_parts_is_learnt_line_by_line() -> None:
    text = b"\nOne document a line,\r\nas a domain's text has.\n\n"
    assert read(text, "text") == [
        TextExample("", "One document a line,"),
        TextExample("", "as a domain's text has."),
    ]
    assert read(b"\n\nA single line", "text") == [TextExample("", "A single line")]


@settings(deadline=None)
@given(st.text(alphabet="ab\n", max_size=60).filter(str.strip), cuts_of)
def test_no_character_of_a_plain_text_is_lost_but_blank_lines(text: str, cuts: list[int]) -> None:
    found = read_examples(chunks_of(text.encode(), cuts), "text")
    lines = [line for one in found for line in one.completion.splitlines()]
    assert lines == [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[1]", "not a JSON object"),
        ('{"text": ', "not JSON"),
        ("{}", 'needs "text", or "prompt" and "completion" (fields: none)'),
        ('{"label": "x"}', "(fields: label)"),
        ('{"prompt": "a"}', "(fields: prompt)"),
        ('{"text": "a", "completion": "b"}', "(fields: text, completion)"),
        ('{"text": 5}', "text is not a text"),
        ('{"prompt": 5, "completion": "b"}', "prompt is not a text"),
        ('{"text": " \\n"}', "text is empty"),
        ('{"prompt": "a", "completion": ""}', "completion is empty"),
        ('{"text": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_a_bad_row_is_named_with_its_line(row: str, said: str) -> None:
    error = refused(f'{{"text": "good"}}\n{row}\n'.encode())
    assert error.code == "bad_rows"
    assert f"line 2: {said}" in error.detail or said in error.detail.partition("line 2: ")[2]


def test_ten_bad_rows_are_named_and_the_others_counted() -> None:
    error = refused(b"{}\n" * 13)
    assert "13 bad rows" in error.detail
    assert "line 10" in error.detail
    assert "line 11" not in error.detail
    assert "(and 3 more)" in error.detail


@pytest.mark.parametrize("format", ["jsonl", "text"])
def test_nothing_to_learn_from_is_refused(format: ExampleFormat) -> None:
    assert refused(b" \n\n", format).code == "no_text"
    assert refused(b"", format).code == "no_text"


@pytest.mark.parametrize("format", ["jsonl", "text"])
def test_what_is_not_utf8_is_refused(format: ExampleFormat) -> None:
    assert refused(b'{"text": "caf\xe9"}', format).code == "not_utf8"


def test_a_binary_file_is_no_text() -> None:
    assert "line 2: a NUL character" in refused(b"a\nb\0c\n", "text").detail
