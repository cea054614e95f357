"""`hmi df`, `gc`, `dataset` and what `adapter` says of where one comes from."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from engine.schema import Collected, Cost, Dataset, Provenance, Quota, Stock, Storage
from tests.hmi_tui.cli.documents import ADAPTER_ID, a_tenant, an_adapter
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem, page

Run = Callable[..., Result]

STORAGE = Storage(
    path="/srv/hmi/data",
    data=[
        Stock(kind="adapters", files=1200, bytes=3 << 30, garbage_files=2, garbage_bytes=1 << 20),
        Stock(kind="catalogue", files=1, bytes=4096),
    ],
    bytes=(3 << 30) + 4096,
    garbage_bytes=1 << 20,
    unused_adapters=1,
    unused_adapter_bytes=2048,
    disk_bytes=100 << 30,
    disk_free_bytes=60 << 30,
)
COST = Cost(currency="EUR", storage=1.0, requests=0.5, training=0.0, total=1.5)


def a_dataset(name: str = "films", **changes: Any) -> Dataset:
    known: dict[str, Any] = {
        "tenant": "acme",
        "rows": 1000,
        "labels": {"no": 250, "yes": 750},
        "bytes": 5000,
        "sha256": "cd" * 32,
        "created_at": 1.7e9,
        "duplicates": 7,
        "conflicts": 4,
        "too_long": 0,
        "held_out": 100,
    }
    return Dataset(name=name, **{**known, **changes})


def test_df_tells_the_disk_by_kind_and_tenants_by_what_they_keep(
    engine: FakeEngine, run: Run
) -> None:
    engine.on("GET", "/v1/storage", STORAGE)
    busy = a_tenant(used_bytes=1 << 20, quota=Quota(bytes=4 << 20), cost=COST, saved_bytes=9 << 30)
    engine.on("GET", "/v1/tenants", page(busy, a_tenant("birch")))
    text = run("df").stdout
    kind = next(line for line in text.splitlines() if line.startswith("adapters"))
    assert kind.split() == ["adapters", "1,200", "3.0", "GiB", "1.0", "MiB"]
    assert "40 of 100 GiB used, 60 GiB free" in text
    acme = next(line for line in text.splitlines() if line.startswith("acme"))
    assert all(part in acme for part in ("1.0 MiB", "4.0 MiB", "25 %", "9.0 GiB", "1.50 EUR"))
    assert engine.calls("GET", "/v1/tenants")[0].query["sort"] == "-used_bytes"


def test_df_has_the_same_figures_for_programs(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/storage", STORAGE)
    engine.on("GET", "/v1/tenants", page(a_tenant(used_bytes=5, quota=Quota(bytes=9)), total=3))
    found = json.loads(run("df", "--json", "--tenants", "1").stdout)
    assert found["data"][0]["garbage_bytes"] == 1 << 20
    assert (found["disk_free_bytes"], found["tenants_total"]) == (60 << 30, 3)
    assert (found["tenants"][0]["used_bytes"], found["tenants"][0]["quota_bytes"]) == (5, 9)
    assert "and 2 more tenants" in run("df", "--tenants", "1").stdout
    assert run("df", "-q").stdout == "adapters\ncatalogue\n"


def test_gc_says_what_went_and_what_stays_for_now(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/storage/collect", Collected(files=3, bytes=2048, left_bytes=0))
    assert run("gc").stdout == "3 files removed, 2.0 KiB freed\n"
    engine.on("POST", "/v1/storage/collect", Collected(files=0, bytes=0, left_bytes=1024))
    assert "1.0 KiB are younger than an hour and stay" in run("gc").stdout
    assert run("gc", "-q").stdout == "0\n"


def test_datasets_are_listed_of_the_tenants_that_have_any(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants", page(a_tenant(datasets=2), a_tenant("birch")))
    engine.on("GET", "/v1/tenants/acme/datasets", page(a_dataset(), a_dataset("books")))
    assert run("dataset", "ls", "-q").stdout == "acme/films\nacme/books\n"
    line = run("dataset", "ls", "acme", "--sort", "-rows").stdout.splitlines()[1]
    assert line.split()[:4] == ["acme/films", "1,000", "2", "4.9"]
    assert engine.calls("GET", "/v1/tenants/acme/datasets")[-1].query["sort"] == "-rows"


def test_a_dataset_shows_its_labels_and_what_is_odd(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants/acme/datasets/films", a_dataset(jobs=["train-1"]))
    text = run("dataset", "show", "acme/films").stdout
    assert text.index("label yes") < text.index("label no")
    for told in ("750  75.0 %", "7 rows say again", "4 rows have a text", "cd" * 32, "train-1"):
        assert told in text
    assert "100 rows: a tenth of each label" in text
    old = a_dataset(duplicates=None, labels={f"l{i}": 1 for i in range(25)})
    engine.on("GET", "/v1/tenants/acme/datasets/films", old)
    text = run("dataset", "show", "acme/films").stdout
    assert "more labels  5" in text
    assert "repeated     –" in text  # noqa: RUF001
    assert "is not the id of a dataset" in run("dataset", "show", "acme", code=1).stderr


def test_a_dataset_is_put_and_removed(engine: FakeEngine, run: Run, tmp_path: Path) -> None:
    path = "/v1/tenants/acme/datasets/films"
    data = tmp_path / "rows.csv"
    data.write_text("body,stars\ngood,5\n")
    engine.on("PUT", path, a_dataset())
    engine.on("DELETE", path, None)
    given = ("dataset", "put", "acme/films", str(data), "--text", "body", "--label", "stars")
    assert run(*given, "-q").stdout == "acme/films\n"
    sent = engine.calls("PUT", path)[0]
    assert sent.query == {"format": "csv", "text": "body", "label": "stars"}
    assert sent.body == data.read_bytes()
    assert run("dataset", "rm", "acme/films").stdout == "acme/films\n"


def test_a_datasets_labels_are_called_otherwise(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    path = "/v1/tenants/acme/datasets/films"
    data = tmp_path / "rows.jsonl"
    data.write_text("{}\n")
    engine.on("PUT", path, a_dataset())
    put = ("dataset", "put", "acme/films", str(data))
    run(*put, "--map", "0=negative", "--map", "1 = a=b", "-q")
    assert json.loads(engine.calls("PUT", path)[0].query["map"]) == {"0": "negative", "1": "a=b"}
    for wrong in (("--map", "negative"), ("--map", "0="), ("--map", "0=a", "--map", "0=b")):
        assert "Write OLD=NEW" in run(*put, *wrong, code=1).stderr
    assert len(engine.calls("PUT", path)) == 1


def test_a_dataset_over_the_quota_is_refused_by_its_name(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("{}\n")
    refused = Problem(429, "quota_bytes", 'quota.bytes of tenant "acme" is 10.')
    engine.on("PUT", "/v1/tenants/acme/datasets/films", refused)
    assert "quota.bytes" in run("dataset", "put", "acme/films", str(data), code=5).stderr


def test_an_adapter_shows_which_training_made_it(engine: FakeEngine, run: Run) -> None:
    made = Provenance(
        job="train-1",
        vplm="acme/polarity",
        parent="ef" * 32,
        dataset="films",
        dataset_sha256="cd" * 32,
        dataset_rows=1000,
        mode="plot",
        hyperparameters={"lr": 0.001, "optimizer": "adamw"},
        metrics={"accuracy": 0.875},
    )
    engine.on("GET", f"/v1/adapters/{ADAPTER_ID}", an_adapter(provenance=made))
    text = run("adapter", "show", ADAPTER_ID).stdout
    for told in ("films, 1,000 rows", "cd" * 32, "ef" * 32, "lr 0.001", "accuracy 0.875"):
        assert told in text
    found = json.loads(run("adapter", "show", ADAPTER_ID, "--json").stdout)
    assert found["provenance"] == made.model_dump(mode="json")


def test_a_folder_of_adapterhub_goes_out_and_in(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "made" / "there"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        for name in ("adapter_config.json", "../adapter.safetensors"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            files.addfile(entry, io.BytesIO(b"{}"))
    engine.on("GET", f"/v1/adapters/{ADAPTER_ID}/adapterhub", archive.getvalue())
    done = run("adapter", "export", ADAPTER_ID, str(folder), "--format", "adapterhub")
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter.safetensors",
        "adapter_config.json",
    ]
    assert not (tmp_path / "made" / "adapter.safetensors").exists()
    assert "hmi_head.safetensors" in done.stderr
    (folder / "notes.txt").write_text("not sent")
    engine.on("POST", "/v1/adapters:adapterhub", an_adapter())
    given = ("adapter", "import", str(folder), "--labels", "no, yes", "-q")
    assert run(*given).stdout == f"{ADAPTER_ID}\n"
    sent = engine.calls("POST", "/v1/adapters:adapterhub")[0]
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as files:
        assert sorted(files.getnames()) == ["adapter.safetensors", "adapter_config.json"]
    (tmp_path / "empty").mkdir()
    assert "is no folder with" in run("adapter", "import", str(tmp_path / "empty"), code=1).stderr
