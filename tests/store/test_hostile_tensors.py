"""Files that lie. Whatever they say, reading one ends in tensors that safetensors itself would
read, or in a ValueError: never in another error, and never in more work than the file is large."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load

from store.tensors import pack, unpack

GOOD = pack({"a": np.ones((2, 3), np.float16), "b": np.arange(4)}, {"made": "here"})
ENTRY = {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}


def written(header: str | bytes, content: bytes = bytes(8), size: int | None = None) -> bytes:
    text = header.encode() if isinstance(header, str) else header
    length = len(text) if size is None else size
    return length.to_bytes(8, "little") + text + content


def entry(**changes: Any) -> str:
    return json.dumps({"a": {**ENTRY, **changes}})


PAIR = json.dumps(
    {
        "a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
        "b": {"dtype": "F16", "shape": [4], "data_offsets": [4, 12]},
    }
)
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a cut off length": GOOD[:5],
    "a length alone": GOOD[:8],
    "a header longer than the file": written(entry(), size=1 << 20),
    "a header of 2^63 bytes": written(entry(), size=1 << 63),
    "a header shorter than it is": written(entry(), size=20),
    "an empty header": written("", size=0),
    "no object": written("[1]"),
    "no JSON": written("{", bytes(8)),
    "no UTF-8": written(b'{"\xff": 1}'),
    "nesting without end": written("[" * 200_000),
    "a name twice": written(entry()[:-1] + "," + entry()[1:]),
    "a shape twice": written(entry()[:-2] + ', "shape": [8]}}'),
    "tensors that overlap": written(PAIR, bytes(12)),
    "a gap between tensors": written(entry(data_offsets=[2, 10]), bytes(10)),
    "bytes behind the last tensor": written(entry(), bytes(9)),
    "fewer bytes than it says": written(entry(), bytes(7)),
    "offsets beyond the file": written(entry(data_offsets=[1 << 40, (1 << 40) + 8])),
    "offsets before it": written(entry(data_offsets=[-8, 0])),
    "offsets backwards": written(entry(data_offsets=[8, 0])),
    "offsets that are no whole numbers": written(entry(data_offsets=[0.0, 8.0])),
    "offsets that are truths": written(
        entry(shape=[], dtype="F16", data_offsets=[False, True]), bytes(1)
    ),
    "one offset": written(entry(data_offsets=[8])),
    "a shape of another size": written(entry(shape=[2, 3])),
    "a shape below zero": written(entry(shape=[-2, -2])),
    "a shape that is no list": written(entry(shape=4)),
    "a shape of halves": written(entry(shape=[0.5, 8])),
    "a shape of texts": written(entry(shape=["4"])),
    "a shape that overflows": written(entry(shape=[1 << 62, 4, 0], data_offsets=[0, 0]), b""),
    "more dimensions than there are": written(entry(shape=[1] * 70 + [4])),
    "a dtype that is not stored": written(entry(dtype="BF16")),
    "a dtype that is no dtype": written(entry(dtype="object")),
    "a dtype that is no text": written(entry(dtype=["F16"])),
    "metadata that is no object": written('{"__metadata__": 3}', b""),
    "metadata that is no text": written('{"__metadata__": {"a": 1}}', b""),
    "metadata that nests": written('{"__metadata__": {"a": {"b": "c"}}}', b""),
    "half a character": written('{"__metadata__": {"labels": "\\ud800"}}', b""),
    "metadata twice": written('{"__metadata__": {"k": "1"}, "__metadata__": {"k": "2"}}', b""),
    "a pickle": b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system",
    "a zip": b"PK\x03\x04" + bytes(60),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_lies_is_no_safetensors_file(name: str) -> None:
    for data in (HOSTILE[name], np.frombuffer(HOSTILE[name], np.uint8).copy()):
        with pytest.raises(ValueError, match="not readable as safetensors"):
            unpack(data)


def test_a_header_that_would_take_minutes_to_reckon_is_refused_at_once() -> None:
    digits = "9" * 4000
    many = ",".join([digits] * 1500)
    data = written(f'{{"a": {{"dtype": "F16", "shape": [{many}], "data_offsets": [0, 8]}}}}')
    began = time.process_time()
    with pytest.raises(ValueError, match="list of few sizes"):
        unpack(data)
    assert time.process_time() - began < 5
    with pytest.raises(ValueError, match="a header of"):
        unpack(written(" " * (9 << 20)))


def same_as_safetensors(data: bytes) -> None:
    """If ours reads it, theirs does, and finds the same."""
    try:
        ours, _ = unpack(data)
    except ValueError:
        return
    try:
        theirs = load(data)
    except SafetensorError:
        pytest.fail("read what safetensors refuses")
    assert {name: (t.dtype, t.shape, t.tobytes()) for name, t in ours.items()} == {
        name: (t.dtype, t.shape, t.tobytes()) for name, t in theirs.items()
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_one_wrong_byte_or_a_cut_is_found_or_does_no_harm(at: int, byte: int, cut: int) -> None:
    broken = bytearray(GOOD)
    broken[at] = byte
    same_as_safetensors(bytes(broken))
    same_as_safetensors(GOOD[:cut])


NUMBERS = st.integers(-2, 20) | st.just(1 << 63) | st.booleans() | st.none() | st.floats(0, 4)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F16", "F32", "I64", "BF16", "U8", "", None, 3]),
        "shape": st.lists(NUMBERS, max_size=3) | NUMBERS,
        "data_offsets": st.lists(NUMBERS, max_size=3) | NUMBERS,
    }
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), ENTRIES | NUMBERS, max_size=3),
    st.binary(max_size=24),
)
def test_whatever_a_header_says_it_is_read_rightly_or_refused(
    header: dict[str, Any], content: bytes
) -> None:
    same_as_safetensors(written(json.dumps(header), content))
