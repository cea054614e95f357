from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import files
from store.tensors import pack, unpack


def _file(header: object, content: bytes = bytes(8)) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def _one(dtype: Any = "F16", shape: Any = (2, 2), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_tensors_are_views_of_the_one_buffer_and_as_writable_as_it_is() -> None:
    data = pack({"a": np.ones((2, 3), np.float16), "b": np.arange(4)}, {"made": "here"})
    tensors, metadata = unpack(np.frombuffer(data, np.uint8).copy())
    assert metadata == {"made": "here"}
    assert all(t.flags.writeable and not t.flags.owndata for t in tensors.values())
    assert not any(t.flags.writeable for t in unpack(data)[0].values())
    assert unpack(_file(_one()))[0]["a"].shape == (2, 2)


@pytest.mark.parametrize(
    "header",
    [
        *([], 7, "text", None, {"a": None}, {"a": {}}),
        {"__metadata__": 3, **_one()},
        _one(dtype="BF16"),
        _one(dtype=None),
        *(_one(shape=shape) for shape in (3, "x", [5], [2, 3], [-2, -2], [1.5], [2**70], [None])),
        *(_one(offsets=at) for at in ([0], [0, 4], [4, 8], [0, 16], [-8, 0], ["a", "b"], None)),
        {**_one(shape=[2], offsets=[0, 4]), "b": _one(shape=[2], offsets=[2, 6])["a"]},
    ],
    ids=lambda header: json.dumps(header)[:60],
)
def test_a_header_that_does_not_describe_the_file_is_refused(header: object) -> None:
    with pytest.raises(ValueError, match="not readable as safetensors"):
        unpack(_file(header))


@given(data=st.data())
def test_a_file_that_was_cut_or_changed_is_read_or_refused_and_nothing_else(
    data: st.DataObject,
) -> None:
    whole = bytearray(pack({"a": np.ones((2, 3), np.float16), "b": np.arange(4)}, {"k": "v"}))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    if cut:
        cut[data.draw(st.integers(0, len(cut) - 1))] = data.draw(st.integers(0, 255))
    try:
        tensors, _ = unpack(bytes(cut))
    except ValueError:
        return
    assert sum(t.nbytes for t in tensors.values()) <= len(cut)


@pytest.mark.parametrize("size", [0, 1, 100_003])
def test_a_file_is_read_whole_into_memory_of_its_own(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    content = np.random.default_rng(0).bytes(size)
    path.write_bytes(content)
    read = files.read_array(path)
    assert read.tobytes() == content
    assert read.flags.writeable
    with pytest.raises(FileNotFoundError):
        files.read_array(tmp_path / "none")
