"""Reading what a generator learns from: texts, or prompts with their completions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import BadInput
from engine.training.upload import ChunkReader, Faults

ExampleFormat = Literal["jsonl", "text"]
_KEYS = ("text", "prompt", "completion")


@dataclass(frozen=True, slots=True)
class TextExample:
    """`completion` is learnt; `prompt`, which may be empty, is only read."""

    prompt: str
    completion: str


def read_examples(chunks: Iterable[bytes], format: ExampleFormat) -> Iterator[TextExample]:
    """Examples as they are read, from JSONL or plain text. Raises BadInput with line numbers.

    A line of JSONL has a "text", or a "prompt" and a "completion"; other fields are not looked at.
    Plain text has one example a paragraph: lines up to a blank one. The error for bad rows comes
    at the end and names the first ten, so whoever keeps the examples must not if it is raised.
    """
    raw: Any = ChunkReader(chunks)
    # Only \n ends a line: others occur inside of texts.
    stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8-sig", newline="\n")
    faults, some = Faults(), False
    try:
        found = _of_jsonl(stream, faults) if format == "jsonl" else _of_text(stream, faults)
        for example in found:
            some = True
            yield example
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The text is not UTF-8: {error}.",
            remedy="Convert it to UTF-8 (iconv -t UTF-8) and send it again.",
            code="not_utf8",
        ) from error
    faults.check()
    if not some:
        raise BadInput(
            "There is nothing to learn from: no line has a text.",
            remedy='Send a {"text": ...} or {"prompt": ..., "completion": ...} a line, or plain '
            "text.",
            code="no_text",
        )


def _of_jsonl(stream: io.TextIOWrapper, faults: Faults) -> Iterator[TextExample]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.add(number, f"not JSON ({error})")
            continue
        found = _example(row)
        if isinstance(found, str):
            faults.add(number, found)
        else:
            yield found


def _of_text(stream: io.TextIOWrapper, faults: Faults) -> Iterator[TextExample]:
    paragraph: list[str] = []
    for number, line in enumerate(stream, 1):
        if "\0" in line:
            faults.add(number, "a NUL character, which no text has")
        elif line.strip():
            paragraph.append(line)
        elif paragraph:
            yield TextExample("", "".join(paragraph))
            paragraph = []
    if paragraph:
        yield TextExample("", "".join(paragraph))


def _example(row: object) -> TextExample | str:
    """What the row teaches, or what is wrong with it."""
    if not isinstance(row, dict):
        return "not a JSON object"
    given = [key for key in _KEYS if row.get(key) is not None]
    if given not in (["text"], ["completion"], ["prompt", "completion"]):
        have = ", ".join(map(str, row)) or "none"
        return f'it needs "text", or "prompt" and "completion" (fields: {have})'
    for key in given:
        value = row[key]
        if not isinstance(value, str):
            return f"{key} is not a text"
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{key} has half of a surrogate pair, which is not text"
    learnt = row[given[-1]]
    if not learnt.strip():
        return f"{given[-1]} is empty"
    return TextExample(row.get("prompt") or "", learnt)
