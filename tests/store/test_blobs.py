from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from store import files
from store.blobs import BlobStore
from store.errors import BadInput, Damaged, NoSpace, NotFound
from store.tensors import pack, unpack

DTYPES = st.sampled_from([np.float16, np.float32, np.int64])
TENSORS = st.dictionaries(
    st.text(max_size=20).filter(lambda name: name != "__metadata__"),
    DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))),
    max_size=4,
)
METADATA = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def ramp(start: int = 0) -> dict[str, NDArray[np.float32]]:
    return {"down": np.arange(start, start + 12, dtype=np.float32).reshape(3, 4)}


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.safetensors"))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tensors=TENSORS, metadata=METADATA)
def test_what_is_packed_is_unpacked(
    tensors: dict[str, NDArray[np.generic]], metadata: dict[str, str]
) -> None:
    data = pack(tensors, metadata)
    unpacked, remembered = unpack(data)
    assert remembered == metadata
    assert set(unpacked) == set(tensors)
    for name, tensor in tensors.items():
        assert unpacked[name].dtype == tensor.dtype
        assert unpacked[name].shape == tensor.shape
        assert unpacked[name].tobytes() == tensor.tobytes()
    assert pack(dict(reversed(tensors.items())), dict(reversed(metadata.items()))) == data


def test_the_same_content_has_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib, numpy as np\n"
        "from store.tensors import pack\n"
        "metadata = {str(i): 'x' for i in range(20)}\n"
        "print(hashlib.sha256(pack({'a': np.ones(3, np.float32)}, metadata)).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    here = pack({"a": np.ones(3, np.float32)}, {str(i): "x" for i in range(20)})
    assert other.stdout.decode().strip() == hashlib.sha256(here).hexdigest()


def test_a_transposed_or_sliced_tensor_is_stored_as_it_looks(blobs: BlobStore) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {"transposed": base.T, "sliced": base[::2, 1::3], "reversed": base[::-1]}
    tensors, _ = blobs.get(blobs.put(views, {}).id)
    for name, view in views.items():
        np.testing.assert_array_equal(tensors[name], view)


def test_a_tensor_of_another_dtype_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'down' is float64"):
        pack({"down": np.zeros(3)}, {})


def test_a_blob_is_named_by_the_checksum_of_its_file(blobs: BlobStore) -> None:
    info = blobs.put(ramp(), {"rank": "64"})
    path = blobs.path(info.id)
    assert path.parent.name == info.id[:2]
    assert path.name == f"{info.id}.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == info.id
    assert path.stat().st_mode & 0o777 == 0o600
    assert info.bytes == path.stat().st_size == blobs.bytes(info.id)
    assert blobs.exists(info.id)
    assert blobs.get(info.id)[1] == {"rank": "64"}


def test_the_same_content_is_written_once(blobs: BlobStore) -> None:
    first = blobs.put(ramp(), {})
    inode = blobs.path(first.id).stat().st_ino
    assert blobs.put(ramp(), {}) == first
    assert blobs.path(first.id).stat().st_ino == inode
    assert blobs.put(ramp(), {"other": "metadata"}).id != first.id


def test_many_blobs_come_back_in_order_even_when_some_are_equal(blobs: BlobStore) -> None:
    infos = blobs.put_many((ramp(i % 7), {}) for i in range(40))
    assert [info.id for info in infos[:7]] == [blobs.put(ramp(i), {}).id for i in range(7)]
    assert len({info.id for info in infos}) == 7
    assert list(blobs.ids()) == sorted({info.id for info in infos})
    for i, info in enumerate(infos):
        np.testing.assert_array_equal(blobs.get(info.id)[0]["down"], ramp(i % 7)["down"])


def test_many_threads_may_store_the_same_content_at_once(blobs: BlobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda i: blobs.put(ramp(i % 3), {}), range(48)))
    assert len({info.id for info in infos}) == 3
    assert sorted(blobs.ids()) == sorted({info.id for info in infos})
    assert blobs.sweep({info.id for info in infos}) == 0


def test_if_one_of_many_fails_none_is_there(blobs: BlobStore, tmp_path: Path) -> None:
    def source() -> Iterator[tuple[dict[str, NDArray[np.float32]], dict[str, str]]]:
        for i in range(20):
            yield ramp(i), {}
        raise RuntimeError("the generator failed")

    kept = blobs.put(ramp(3), {})
    with pytest.raises(RuntimeError, match="generator failed"):
        blobs.put_many(source())
    assert list(blobs.ids()) == [kept.id]
    assert blobs.sweep({kept.id}) == 0


def test_every_byte_and_every_name_is_on_disk_before_it_is_told_of(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        fsync(handle)
        steps.append(("fsync", Path(f"/proc/self/fd/{handle}").readlink()))

    def renamed(source: Path, target: Path) -> Path:
        steps.append(("rename", source))
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    infos = blobs.put_many((ramp(i), {}) for i in range(150))
    first = next(i for i, (what, _) in enumerate(steps) if what == "rename")
    files_synced = {path for what, path in steps[:first] if what == "fsync"}
    names = {path for what, path in steps if what == "rename"}
    assert len(names) == 150
    assert names <= files_synced
    last = max(i for i, (what, _) in enumerate(steps) if what == "rename")
    folders = [path for what, path in steps[last + 1 :] if what == "fsync"]
    parents = {blobs.path(info.id).parent for info in infos}
    assert set(folders) == parents | {next(iter(parents)).parent}
    assert len(folders) == len(set(folders))


def test_an_fsync_that_fails_leaves_no_blob(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(70))
    real = os.fsync

    def until_full(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "full")
        real(handle)

    monkeypatch.setattr(os, "fsync", until_full)
    with pytest.raises(NoSpace):
        blobs.put_many((ramp(i), {}) for i in range(100))
    monkeypatch.undo()
    assert list(blobs.ids()) == []
    assert blobs.sweep(set()) == 0


def test_a_disk_that_fills_up_midway_leaves_no_blob(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    real = os.write

    def until_full(handle: int, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if written > 2000:
            raise OSError(errno.ENOSPC, "full")
        return real(handle, data)

    monkeypatch.setattr(os, "write", until_full)
    with pytest.raises(NoSpace):
        blobs.put_many((ramp(i), {}) for i in range(50))
    monkeypatch.undo()
    assert list(blobs.ids()) == []
    assert blobs.sweep(set()) == 0


def test_a_half_written_blob_is_invisible_and_swept(blobs: BlobStore) -> None:
    info = blobs.put(ramp(), {})
    half = files.temporary(blobs.path(info.id).parent)
    half.write_bytes(blobs.path(info.id).read_bytes()[:10])
    assert list(blobs.ids()) == [info.id]
    assert blobs.sweep({info.id}) == 1
    assert not half.exists()
    assert blobs.exists(info.id)


def test_sweep_removes_blobs_that_nobody_knows(blobs: BlobStore) -> None:
    infos = [blobs.put(ramp(i), {}) for i in range(4)]
    assert blobs.sweep({infos[2].id}) == 3
    assert list(blobs.ids()) == [infos[2].id]


@pytest.mark.parametrize("damage", ["flipped", "short", "empty"])
def test_a_damaged_blob_is_named_and_mended_by_storing_it_again(
    blobs: BlobStore, damage: str
) -> None:
    info = blobs.put(ramp(), {})
    path = blobs.path(info.id)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes({"flipped": bytes(data), "short": bytes(data[:-3]), "empty": b""}[damage])
    with pytest.raises(Damaged, match=str(path)) as caught:
        blobs.get(info.id)
    assert "hmi vplm create" in caught.value.remedy
    assert blobs.put(ramp(), {}) == info
    np.testing.assert_array_equal(blobs.get(info.id)[0]["down"], ramp()["down"])


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"[]"])
def test_a_file_that_is_no_safetensors_is_damaged_also_without_verifying(
    blobs: BlobStore, content: bytes
) -> None:
    info = blobs.put(ramp(), {})
    blobs.path(info.id).write_bytes(content)
    with pytest.raises(Damaged, match="cannot be read"):
        blobs.get(info.id, verify=False)


def test_a_blob_that_is_not_there_is_not_found(blobs: BlobStore) -> None:
    missing = "0" * 64
    assert not blobs.exists(missing)
    for call in (blobs.get, blobs.bytes, blobs.delete):
        with pytest.raises(NotFound, match=f'There is no adapter "{missing}"'):
            call(missing)


def test_a_deleted_blob_is_gone(blobs: BlobStore, tmp_path: Path) -> None:
    info = blobs.put(ramp(), {})
    blobs.delete(info.id)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_an_id_that_is_no_checksum_is_refused(blobs: BlobStore, name: str) -> None:
    with pytest.raises(BadInput, match="not an adapter id"):
        blobs.get(name)
