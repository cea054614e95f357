from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput
from store.errors import InUse, NotFound
from store.tensors import pack, unpack
from tests.engine.appliance.small import core_of, make_tenant, make_vplm, opened, probs


def exported(appliance: Appliance, id: str) -> bytes:
    return appliance.adapter_file(id).read_bytes()


def edited(data: bytes, about: Mapping[str, str]) -> bytes:
    tensors, metadata = unpack(data)
    return pack(tensors, {**metadata, **about})


def test_an_adapter_is_exported_and_imported_and_answers_the_same(settings: Settings) -> None:
    with opened(settings) as engine:
        make_tenant(engine)
        one = make_vplm(engine)
        expected = probs(engine, "acme/a")
        data = exported(engine, one.adapter)
        engine.remove_vplm("acme/a")
        taken = engine.import_adapter(iter([data[:100], data[100:]]))
        assert (taken.id, taken.created_by, taken.origin) == (one.adapter, "import", "random")
        assert (taken.labels, taken.label_names, taken.domain) == (2, ["no", "yes"], "general")
        assert engine.import_adapter(iter([data])) == taken
    with opened(settings) as again:
        # Nobody uses it yet, and still it outlives the engine: it was put there on purpose.
        assert again.adapter(taken.id).users == []
        make_vplm(again, "acme/b", adapter=taken.id)
        assert probs(again, "acme/b") == expected


def test_what_nobody_uses_is_listed_and_removed(appliance: Appliance) -> None:
    used = make_vplm(appliance)
    other = make_vplm(appliance, "acme/b")
    data = exported(appliance, other.adapter)
    appliance.remove_vplm("acme/b")
    appliance.import_adapter(iter([data]))
    page = appliance.adapters("", None, 10, None, unused=True)
    assert [one.id for one in page.data] == [other.adapter]
    assert (page.total, page.unused, page.unused_bytes) == (1, 1, len(data))
    appliance.remove_adapter(other.adapter)
    page = appliance.adapters("", None, 10, None)
    assert [one.id for one in page.data] == [used.adapter]
    assert page.unused == page.unused_bytes == 0
    with pytest.raises(InUse):
        appliance.remove_adapter(used.adapter)


def test_a_file_that_changed_is_found_out(appliance: Appliance) -> None:
    vplm = make_vplm(appliance)
    assert appliance.verify_adapter(vplm.adapter).ok
    path = appliance.adapter_file(vplm.adapter)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    check = appliance.verify_adapter(vplm.adapter)
    assert not check.ok
    assert "does not match its checksum" in check.detail
    path.unlink()
    assert "is missing" in appliance.verify_adapter(vplm.adapter).detail
    with pytest.raises(NotFound):
        appliance.verify_adapter("0" * 64)


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ({"format": "pickle"}, "is not an adapter"),
        ({"backbone_sha256": "ab"}, r"backbone that it was made for \(ab\) is not here"),
    ],
)
def test_a_foreign_file_is_not_imported(
    appliance: Appliance, about: Mapping[str, str], complaint: str
) -> None:
    vplm = make_vplm(appliance)
    data = edited(exported(appliance, vplm.adapter), about)
    with pytest.raises(BadInput, match=complaint) as refused:
        appliance.import_adapter(iter([data]))
    assert refused.value.remedy
    with pytest.raises(BadInput, match="cannot be read"):
        appliance.import_adapter(iter([b"not a tensor"]))
    assert list(core_of(appliance).blobs.ids()) == [vplm.adapter]


def test_a_file_that_is_too_large_is_refused_early(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.appliance.received.LARGEST", 10)
    with pytest.raises(Exception, match="no adapter is that large"):
        appliance.import_adapter(iter([b"0" * 8, b"0" * 8, b"never read"]))


def hostile(data: bytes) -> list[tuple[str, bytes, str]]:
    """Files of an adapter's own layout that are not one: what is wrong, the file, the code."""
    tensors, about = unpack(data)

    def with_(**changes: Any) -> bytes:
        return pack({**tensors, **changes}, about)

    down, head = tensors["down"], tensors["head"]
    broken = down.copy()
    broken.flat[3] = np.inf
    none = head.copy()
    none.flat[0] = np.nan
    layers, places, hidden, _ = down.shape
    return [
        ("a header that is longer than the file", b"\xff" * 8 + data[8:], "not_an_adapter"),
        ("a file that is cut off", data[:-2], "not_an_adapter"),
        ("a pickle", b"\x80\x04\x95" + data[3:], "not_an_adapter"),
        ("an infinity", with_(down=broken), "adapter_damaged"),
        ("what is not a number", with_(head=none), "adapter_damaged"),
        ("whole numbers", with_(head=head.astype(np.int64)), "adapter_damaged"),
        ("one array too many", with_(more=head), "adapter_damaged"),
        ("another shape", with_(up=tensors["up"][:, :, :-1]), "adapter_damaged"),
        ("too few dimensions", with_(down=down[0]), "adapter_damaged"),
        (
            "no rank at all",
            with_(
                down=np.zeros((layers, places, hidden, 0), np.float16),
                down_bias=np.zeros((layers, places, 0), np.float16),
                up=np.zeros((layers, places, 0, hidden), np.float16),
            ),
            "adapter_damaged",
        ),
        (
            "no labels",
            with_(head=head[:0], head_bias=tensors["head_bias"][:0]),
            "adapter_damaged",
        ),
        (
            "a rank beyond the slots",
            with_(
                down=np.zeros((layers, places, hidden, 65), np.float16),
                down_bias=np.zeros((layers, places, 65), np.float16),
                up=np.zeros((layers, places, 65, hidden), np.float16),
            ),
            "rank_too_high",
        ),
        (
            "more layers",
            pack(
                {
                    name: array if "head" in name else np.concatenate([array, array])
                    for name, array in tensors.items()
                },
                about,
            ),
            "adapter_mismatch",
        ),
        ("another backbone", edited(data, {"backbone_sha256": "ab" * 32}), "backbone_missing"),
        ("no backbone", pack(tensors, {"format": about["format"]}), "backbone_missing"),
        ("another format", edited(data, {"format": "hmi-encoder-1"}), "adapter_damaged"),
    ]


def test_every_hostile_file_is_refused_by_its_code_and_leaves_nothing(
    appliance: Appliance,
) -> None:
    vplm = make_vplm(appliance)
    expected = probs(appliance, "acme/a")
    for what, data, code in hostile(exported(appliance, vplm.adapter)):
        with pytest.raises(BadInput) as refused:
            appliance.import_adapter(iter([data]))
        assert (what, refused.value.code) == (what, code)
        assert refused.value.remedy
    assert list(core_of(appliance).blobs.ids()) == [vplm.adapter]
    assert appliance.adapters("", None, 10, None).total == 1
    assert probs(appliance, "acme/a") == expected


def test_what_a_foreign_file_says_of_itself_is_kept_within_bounds(appliance: Appliance) -> None:
    vplm = make_vplm(appliance)
    claims = {"domain": "d" * 9000, "created_by": "m" * 9000, "labels": "a\nb\nc"}
    taken = appliance.import_adapter(iter([edited(exported(appliance, vplm.adapter), claims)]))
    assert (len(taken.domain), len(taken.origin), taken.label_names) == (63, 128, [])
