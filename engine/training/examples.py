"""Reading what a generator learns from: texts, or prompts with their completions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from engine.errors import BadInput
from engine.training.records import Fields, lines_of, not_utf8, records
from engine.training.upload import Faults
from store.dataset_files import Example

ExampleFormat = Literal["jsonl", "csv", "text"]
_KEYS = ("text", "prompt", "completion")


@dataclass(frozen=True, slots=True)
class TextExample:
    """`completion` is learnt; `prompt`, which may be empty, is only read."""

    prompt: str
    completion: str

    @property
    def row(self) -> Example:
        """As a dataset keeps it: what it teaches is the text itself."""
        return ((self.prompt, self.completion) if self.prompt else self.completion), ()

    @classmethod
    def of(cls, row: Example) -> TextExample:
        """The same from a dataset."""
        text, _ = row
        return cls("", text) if isinstance(text, str) else cls(*text)


def read_examples(chunks: Iterable[bytes], format: ExampleFormat) -> Iterator[TextExample]:
    """Examples as they are read. Raises BadInput with line numbers.

    A row of JSONL or CSV has a "text", or a "prompt" and a "completion"; others are not looked at.
    Plain text has one example a paragraph: lines up to a blank one. Where no blank line parts any,
    it has one example a line, as a domain's text has. The error for bad rows comes at the end and
    names the first ten, so whoever keeps the examples must not if it is raised.
    """
    # Only \n ends a line: others occur inside of texts.
    stream = lines_of(chunks, "" if format == "csv" else "\n")
    faults, some = Faults(), False
    try:
        if format == "text":
            found = _of_text(stream, faults)
        else:
            found = _of_rows(records(stream, format, (), faults), faults)
        for example in found:
            some = True
            yield example
    except UnicodeDecodeError as error:
        raise not_utf8(error) from error
    faults.check()
    if not some:
        raise BadInput(
            "There is nothing to learn from: no line has a text.",
            remedy='Send a {"text": ...} or {"prompt": ..., "completion": ...} a line, or plain '
            "text.",
            code="no_text",
        )


def _of_rows(rows: Iterable[tuple[int, Fields]], faults: Faults) -> Iterator[TextExample]:
    for number, row in rows:
        found = _example(row)
        if isinstance(found, str):
            faults.add(number, found)
        else:
            yield found


def _of_text(stream: io.TextIOWrapper, faults: Faults) -> Iterator[TextExample]:
    paragraph: list[str] = []
    blank = parted = False
    for number, line in enumerate(stream, 1):
        if "\0" in line:
            faults.add(number, "a NUL character, which no text has")
        elif not line.strip():
            blank = True
        else:
            if blank and paragraph:
                yield TextExample("", "".join(paragraph))
                parted, paragraph = True, []
            paragraph.append(line)
            blank = False
    if parted:
        yield TextExample("", "".join(paragraph))
    else:
        yield from (TextExample("", line.rstrip("\r\n")) for line in paragraph)


def _example(row: Fields) -> TextExample | str:
    """What the row teaches, or what is wrong with it."""
    given = [key for key in _KEYS if row.get(key) is not None]
    if given not in (["text"], ["completion"], ["prompt", "completion"]):
        have = ", ".join(map(str, row)) or "none"
        return f'it needs "text", or "prompt" and "completion" (fields: {have})'
    texts: list[str] = []
    for key in given:
        value = row[key]
        if not isinstance(value, str):
            return f"{key} is not a text"
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{key} has half of a surrogate pair, which is not text"
        texts.append(value)
    if not texts[-1].strip():
        return f"{given[-1]} is empty"
    return TextExample(texts[0] if len(texts) > 1 else "", texts[-1])
