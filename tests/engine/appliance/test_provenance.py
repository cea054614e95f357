"""An adapter says which training made it, of what: in the catalogue, in its file, and elsewhere."""

from __future__ import annotations

import hashlib
import json

import pytest

from engine.appliance import Appliance
from engine.appliance.provenance import provenance_metadata, provenance_of
from engine.schema import Provenance, TrainRequest
from store.tensors import pack, unpack
from tests.engine.appliance.small import core_of, ended, make_vplm

DATA = b"".join(
    json.dumps({"text": f"a good film {i}", "label": "yes" if i % 2 else "no"}).encode() + b"\n"
    for i in range(24)
)
MADE = Provenance(
    job="train-1",
    vplm="acme/a",
    parent="ab" * 32,
    dataset="films",
    dataset_sha256="cd" * 32,
    dataset_rows=24,
    mode="exact",
    hyperparameters={"lr": 0.001, "optimizer": "adamw", "dropout": None},
    metrics={"accuracy": 0.5},
)


def test_a_trained_adapter_says_where_it_comes_from(appliance: Appliance) -> None:
    start = make_vplm(appliance)
    assert appliance.adapter(start.adapter).provenance is None
    appliance.put_dataset("acme", "films", iter([DATA]), "jsonl", "text", "label")
    request = TrainRequest(vplm="acme/a", dataset="films", epochs=2, lr=3e-3, seed=5)
    job = ended(appliance, appliance.train(request).id)
    trained = appliance.adapter(appliance.vplm("acme/a").adapter)
    made = trained.provenance
    assert made is not None
    assert (made.job, made.vplm, made.parent) == (job.id, "acme/a", start.adapter)
    assert (made.dataset, made.dataset_rows, made.mode) == ("films", 24, "plot")
    assert made.hyperparameters["lr"] == 3e-3
    assert (made.hyperparameters["epochs"], made.hyperparameters["seed"]) == (2, 5)
    assert made.metrics["accuracy"] == appliance.vplm("acme/a").accuracy
    stored = core_of(appliance).datasets.path(
        core_of(appliance).catalogue.datasets.get("acme", "films").path_name
    )
    assert made.dataset_sha256 == hashlib.sha256(stored.read_bytes()).hexdigest()


def test_the_file_carries_it_through_export_and_import(appliance: Appliance) -> None:
    vplm = make_vplm(appliance)
    tensors, about = unpack(appliance.adapter_file(vplm.adapter).read_bytes())
    taken = appliance.import_adapter(iter([pack(tensors, about | provenance_metadata(MADE))]))
    assert taken.provenance == MADE
    assert appliance.adapter(taken.id).provenance == MADE
    again = unpack(appliance.adapter_file(taken.id).read_bytes())[1]
    assert provenance_of(again) == MADE


@pytest.mark.parametrize(
    "claim", ["", "{", "[1]", '{"job": 1}', json.dumps({**MADE.model_dump(), "job": "x" * 20_000})]
)
def test_what_cannot_be_read_is_not_believed(appliance: Appliance, claim: str) -> None:
    vplm = make_vplm(appliance)
    tensors, about = unpack(appliance.adapter_file(vplm.adapter).read_bytes())
    taken = appliance.import_adapter(iter([pack(tensors, about | {"provenance": claim})]))
    assert taken.provenance is None
    row = core_of(appliance).catalogue.adapters.get(taken.id)
    assert "provenance" not in row.metadata
