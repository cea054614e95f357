from __future__ import annotations

import time
from dataclasses import replace

import pytest

from store.catalogue import Catalogue
from store.errors import Exists, InUse, NotFound
from store.rows import AdapterRow, DatasetRow, JobRow


def test_an_adapter_in_use_cannot_be_removed(catalogue: Catalogue, adapter: AdapterRow) -> None:
    with pytest.raises(InUse, match='used by vPLM "acme/polarity"') as caught:
        catalogue.adapters.remove(adapter.id)
    assert caught.value.code == "conflict"
    catalogue.vplms.remove("acme/polarity")
    assert catalogue.adapters.unused() == [adapter.id]
    assert catalogue.adapters.remove(adapter.id) == adapter
    assert catalogue.adapters.ids() == set()
    with pytest.raises(NotFound, match="There is no adapter"):
        catalogue.adapters.remove(adapter.id)


def test_many_adapters_are_added_all_or_none(catalogue: Catalogue, adapter: AdapterRow) -> None:
    rows = [replace(adapter, id=f"{i:064x}") for i in range(250)]
    with pytest.raises(Exists, match="aaaa"):
        catalogue.adapters.add_many([*rows, adapter])
    assert catalogue.adapters.count() == 1
    catalogue.adapters.add_many(rows)
    assert catalogue.adapters.count() == 251
    assert catalogue.adapters.get(rows[3].id) == rows[3]


def test_adapters_are_searched_by_id_and_by_what_made_them(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    trained = replace(adapter, id="b" * 64, created_by="job-7")
    catalogue.adapters.add(trained)
    assert catalogue.adapters.page(q="job-7") == ([trained], 1)
    assert catalogue.adapters.page(q="aaaa", sort="-created_at") == ([adapter], 1)


def test_a_job_comes_back_with_its_series(empty: Catalogue, job: JobRow) -> None:
    empty.jobs.add(job)
    assert empty.jobs.get("job-1") == job
    changed = empty.jobs.change(
        "job-1", state="running", progress=0.5, loss=[(1, 0.7), (2, 0.5)], started_at=101.0
    )
    assert empty.jobs.get("job-1") == changed
    assert changed.loss == [(1, 0.7), (2, 0.5)]
    with pytest.raises(Exists, match='Job "job-1" exists already'):
        empty.jobs.add(job)
    with pytest.raises(NotFound, match='There is no job "job-2"'):
        empty.jobs.get("job-2")


def test_jobs_are_listed_newest_first(empty: Catalogue, job: JobRow) -> None:
    for i, state in enumerate(["queued", "failed", "queued"]):
        empty.jobs.add(replace(job, id=f"job-{i}", state=state, created_at=100.0 + i))
    assert [row.id for row in empty.jobs.page()[0]] == ["job-2", "job-1", "job-0"]
    rows, total = empty.jobs.page(state="queued", limit=1, offset=1)
    assert ([row.id for row in rows], total) == (["job-0"], 2)


def test_interrupted_jobs_fail_with_the_reason(empty: Catalogue, job: JobRow) -> None:
    states = ["queued", "running", "succeeded", "failed", "cancelled"]
    for state in states:
        empty.jobs.add(replace(job, id=state, state=state))
    before = time.time()
    assert empty.jobs.fail_interrupted("The engine was stopped.") == 2
    row = empty.jobs.get("running")
    assert (row.state, row.error) == ("failed", "The engine was stopped.")
    assert row.finished_at is not None
    assert row.finished_at >= before
    assert empty.jobs.get("cancelled").state == "cancelled"
    assert empty.jobs.fail_interrupted("again") == 0


def test_live_jobs_are_those_of_a_subject_that_wait_or_run(empty: Catalogue, job: JobRow) -> None:
    for i, state in enumerate(["running", "queued", "succeeded", "failed", "cancelled"]):
        empty.jobs.add(replace(job, id=f"job-{i}", state=state, created_at=100.0 + i))
    empty.jobs.add(replace(job, id="other-type", type="rebuild"))
    empty.jobs.add(replace(job, id="other-subject", subject="acme/other"))
    assert [row.id for row in empty.jobs.live("train", "acme/polarity")] == ["job-0", "job-1"]
    assert empty.jobs.live("rebuild", "acme/other") == []


def test_a_dataset_is_replaced_and_the_old_one_handed_back(
    catalogue: Catalogue, dataset: DatasetRow
) -> None:
    assert catalogue.datasets.put(dataset) is None
    newer = replace(dataset, path_name="acme/sst2.1.jsonl", labels={"a": 3})
    assert catalogue.datasets.put(newer) == dataset
    assert catalogue.datasets.get("acme", "sst2") == newer
    assert catalogue.datasets.all("acme") == catalogue.datasets.all() == [newer]
    assert catalogue.datasets.remove("acme", "sst2") == newer
    with pytest.raises(NotFound, match='There is no dataset "acme/sst2"'):
        catalogue.datasets.get("acme", "sst2")


def test_a_dataset_needs_its_tenant(catalogue: Catalogue, dataset: DatasetRow) -> None:
    with pytest.raises(NotFound, match='There is no tenant "nobody"'):
        catalogue.datasets.put(replace(dataset, tenant="nobody"))
