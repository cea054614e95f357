"""Adapters in and out of the store as AdapterHub's folders."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Mapping

import pytest

from engine.appliance import Appliance
from engine.errors import BadInput
from engine.schema import Adapter
from store.errors import NotFound
from store.tensors import pack, unpack
from tests.engine.appliance.small import core_of, make_vplm, probs, tolerance_of

CONFIG, TENSORS, HEAD = "adapter_config.json", "adapter.safetensors", "hmi_head.safetensors"


def folder_of(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = ((entry.name, archive.extractfile(entry)) for entry in archive)
        return {name: file.read() for name, file in files if file is not None}


def archive_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def take(engine: Appliance, files: Mapping[str, bytes], *labels: str) -> Adapter:
    data = archive_of(files)
    return engine.import_adapterhub(iter([data[:700], data[700:]]), labels)


def test_a_folder_goes_out_and_comes_back_and_answers_the_same(appliance: Appliance) -> None:
    one = make_vplm(appliance, labels=("no", "yes", "perhaps"))
    files = folder_of(appliance.adapterhub_folder(one.adapter))
    assert set(files) == {CONFIG, TENSORS, HEAD}
    config = json.loads(files[CONFIG])
    assert (config["model_type"], config["hidden_size"]) == ("bert", 32)
    taken = take(appliance, files)
    assert (taken.created_by, taken.rank, taken.labels) == ("import", 4, 3)
    assert taken.label_names == ["no", "yes", "perhaps"]
    assert taken.origin == f"adapterhub: hmi_{one.adapter[:12]}"
    assert take(appliance, files) == taken
    make_vplm(appliance, "acme/b", labels=taken.label_names, adapter=taken.id)
    for mine, theirs in zip(probs(appliance, "acme/b"), probs(appliance, "acme/a"), strict=True):
        assert mine == pytest.approx(theirs, abs=tolerance_of(appliance))


def test_without_our_head_the_labels_are_given(appliance: Appliance) -> None:
    one = make_vplm(appliance)
    files = folder_of(appliance.adapterhub_folder(one.adapter))
    del files[HEAD]
    with pytest.raises(BadInput, match="has no head that this engine can use") as refused:
        take(appliance, files)
    assert "--labels" in refused.value.remedy
    taken = take(appliance, files, "a", "b", "c")
    assert taken.label_names == ["a", "b", "c"]
    assert core_of(appliance).blobs.exists(taken.id)


def test_a_folder_that_is_not_one_leaves_nothing(appliance: Appliance) -> None:
    one = make_vplm(appliance)
    files = folder_of(appliance.adapterhub_folder(one.adapter))
    tensors, about = unpack(files[HEAD])
    other = json.dumps({**json.loads(files[CONFIG]), "backbone_sha256": "ab" * 32}).encode()
    relu = files[CONFIG].replace(b'"gelu"', b'"relu"')
    peft = b'{"peft_type": "LORA", "r": 8, "target_modules": ["query", "value"]}'
    cases: list[tuple[dict[str, bytes], str, str]] = [
        ({TENSORS: files[TENSORS]}, "has no adapter_config.json", "not_an_adapter"),
        ({CONFIG: files[CONFIG]}, "has no adapter.safetensors", "not_an_adapter"),
        ({**files, CONFIG: b"{"}, "is not JSON", "not_an_adapter"),
        ({**files, CONFIG: b"[" * 100_000}, "is not JSON", "not_an_adapter"),
        ({**files, CONFIG: b"[1]"}, "is no document", "not_an_adapter"),
        ({**files, TENSORS: files[TENSORS][:-1]}, "cannot be read", "not_an_adapter"),
        ({**files, CONFIG: other}, "another backbone", "adapter_mismatch"),
        ({CONFIG: peft, "adapter_model.safetensors": b""}, "PEFT (LORA)", "peft_unsupported"),
        ({**files, CONFIG: relu}, "'relu'", "adapterhub_misfit"),
        ({**files, HEAD: pack(tensors, {"labels": "a"})}, "is no head over 1", "adapterhub_misfit"),
        ({**files, HEAD: pack({}, about)}, "is no head over 2", "adapterhub_misfit"),
    ]
    for folder, complaint, code in cases:
        with pytest.raises(BadInput, match=re.escape(complaint)) as refused:
            take(appliance, folder)
        assert (refused.value.code, bool(refused.value.remedy)) == (code, True)
    with pytest.raises(BadInput, match="not the labels given"):
        take(appliance, files, "yes", "no")
    with pytest.raises(BadInput, match="cannot be read"):
        appliance.import_adapterhub(iter([b"no archive" * 100]), [])
    with pytest.raises(NotFound):
        appliance.adapterhub_folder("0" * 64)
    assert list(core_of(appliance).blobs.ids()) == [one.adapter]
