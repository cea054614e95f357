"""A catalogue to work on, and one sample row of each kind to vary with dataclasses.replace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from store.catalogue import Catalogue
from store.rows import AdapterRow, DatasetRow, DomainRow, JobRow, TenantRow, VplmRow


@pytest.fixture
def tenant() -> TenantRow:
    return TenantRow("acme", 1.5, {"vplms": 10, "bytes": None, "rps": 2.5}, "", 100.0)


@pytest.fixture
def root() -> DomainRow:
    return DomainRow("general", None, 0, "empty", None, 0, 0, {}, 100.0)


@pytest.fixture
def adapter() -> AdapterRow:
    return AdapterRow("a" * 64, 600_000, 64, "both", 2, "random", {"format": "1"}, 100.0)


@pytest.fixture
def vplm(adapter: AdapterRow) -> VplmRow:
    return VplmRow(
        tenant="acme",
        name="polarity",
        kind="classifier",
        domain="general",
        labels=("negative", "positive"),
        mode="plot",
        rank=64,
        adapter=adapter.id,
        version=1,
        pinned=False,
        accuracy=None,
        created_at=100.0,
    )


@pytest.fixture
def job() -> JobRow:
    return JobRow("job-1", "train", "acme/polarity", "queued", {"epochs": 3}, created_at=100.0)


@pytest.fixture
def dataset() -> DatasetRow:
    labels = {"negative": 1, "positive": 2}
    return DatasetRow("acme", "sst2", 3, labels, 80, "0" * 64, "acme/sst2.0.jsonl", 100.0)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "data" / "catalogue.db") as catalogue:
        yield catalogue


@pytest.fixture
def catalogue(
    empty: Catalogue, tenant: TenantRow, root: DomainRow, adapter: AdapterRow, vplm: VplmRow
) -> Catalogue:
    """Two tenants; general over reviews over films; acme/polarity with its adapter."""
    empty.tenants.add(tenant)
    empty.tenants.add(replace(tenant, name="globex", weight=3.0))
    empty.domains.add(root)
    empty.domains.add(replace(root, name="reviews", parent="general"))
    empty.domains.add(replace(root, name="films", parent="reviews"))
    empty.vplms.add(vplm, adapters=[adapter])
    return empty
