"""What a tenant keeps and may keep, what that costs, and what takes up the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.errors import Refused
from engine.schema import Quota, Stock, TenantPatch, TrainRequest, VplmBulkCreate
from tests.engine.appliance.small import core_of, ended, make_domain, make_tenant, make_vplm

LINES = [
    json.dumps({"text": f"a good film {i}", "label": "yes" if i % 2 else "no"}).encode() + b"\n"
    for i in range(40)
]


def put_dataset(engine: Appliance, lines: list[bytes] = LINES, name: str = "films") -> int:
    receipt = engine.put_dataset("acme", name, iter(lines), "jsonl", "text", "label")
    return receipt.bytes


def limit(engine: Appliance, bytes: int | None) -> None:
    engine.change_tenant("acme", TenantPatch(quota=Quota(bytes=bytes)))


def used(engine: Appliance) -> int:
    return engine.tenant("acme").used_bytes


def files(engine: Appliance, kind: str) -> list[Path]:
    folder: Path = getattr(core_of(engine).settings.paths, kind)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def stock(engine: Appliance, kind: str) -> Stock:
    return next(each for each in engine.storage().data if each.kind == kind)


def test_a_tenant_keeps_adapters_and_datasets_and_saves_the_backbones(
    appliance: Appliance,
) -> None:
    one = make_vplm(appliance)
    make_vplm(appliance, "acme/b", adapter=one.adapter)
    size = put_dataset(appliance)
    tenant = appliance.tenant("acme")
    assert (tenant.vplms, tenant.versions, tenant.adapters, tenant.datasets) == (2, 2, 1, 1)
    assert (tenant.stored_bytes, tenant.dataset_bytes) == (one.stored_bytes, size)
    assert tenant.used_bytes == one.stored_bytes + size
    assert tenant.dedicated_bytes == 2 * one.dedicated_bytes
    assert tenant.saved_bytes == 2 * one.dedicated_bytes - one.stored_bytes


def test_tenants_are_sorted_by_what_they_keep(appliance: Appliance) -> None:
    make_tenant(appliance, "globex")
    make_vplm(appliance, "globex/a")
    put_dataset(appliance, LINES * 2000)
    names = [t.name for t in appliance.tenants("", "-used_bytes", 10, None).data]
    assert names == ["acme", "globex"]
    assert [t.name for t in appliance.tenants("", "-stored_bytes", 10, None).data] == names[::-1]


def test_storage_is_billed_by_adapters_and_datasets(appliance: Appliance) -> None:
    core_of(appliance).settings.paths.config.write_text("[tariff]\ngib_month = 1073741824\n")
    one = make_vplm(appliance)
    size = put_dataset(appliance)
    cost = appliance.tenant("acme").cost
    assert cost is not None
    assert cost.storage == one.stored_bytes + size


def test_a_vplm_over_the_quota_is_refused_before_anything_is_written(appliance: Appliance) -> None:
    size = make_vplm(appliance).stored_bytes
    limit(appliance, 3 * size)
    with pytest.raises(Refused, match=r"quota\.bytes") as refused:
        appliance.create_vplms(
            VplmBulkCreate(tenant="acme", name="m", count=3, labels=["no", "yes"], rank=4)
        )
    assert (refused.value.code, refused.value.exit_code) == ("quota_bytes", 5)
    assert refused.value.status == 429
    assert len(files(appliance, "blobs")) == 1
    appliance.create_vplms(
        VplmBulkCreate(tenant="acme", name="m", count=2, labels=["no", "yes"], rank=4)
    )
    assert used(appliance) == 3 * size


def test_what_the_tenant_has_already_costs_nothing_more(appliance: Appliance) -> None:
    one = make_vplm(appliance)
    limit(appliance, one.stored_bytes)
    make_vplm(appliance, "acme/b", adapter=one.adapter)
    assert used(appliance) == one.stored_bytes
    make_tenant(appliance, "globex")
    appliance.change_tenant("globex", TenantPatch(quota=Quota(bytes=one.stored_bytes - 1)))
    with pytest.raises(Refused, match=r"quota\.bytes"):
        make_vplm(appliance, "globex/a", adapter=one.adapter)


def test_an_upload_is_refused_as_soon_as_it_is_too_large(appliance: Appliance) -> None:
    limit(appliance, 1000)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for number in range(1_000_000):
            sent += 1
            yield LINES[number % 2]

    with pytest.raises(Refused, match=r"quota\.bytes"):
        appliance.put_dataset("acme", "films", endless(), "jsonl", "text", "label")
    assert sent < 1000
    assert files(appliance, "datasets") == []
    assert used(appliance) == 0


def test_with_no_room_at_all_an_upload_is_not_even_read(appliance: Appliance) -> None:
    limit(appliance, 0)

    def unread() -> bytes:
        pytest.fail("the body was read")

    with pytest.raises(Refused, match=r"quota\.bytes"):
        appliance.put_dataset("acme", "films", iter(unread, b""), "jsonl", "text", "label")


def test_a_dataset_may_be_replaced_within_the_quota(appliance: Appliance) -> None:
    limit(appliance, put_dataset(appliance))
    put_dataset(appliance)
    with pytest.raises(Refused, match=r"quota\.bytes"):
        put_dataset(appliance, LINES[:1], "more")
    assert [path.name.partition(".")[0] for path in files(appliance, "datasets")] == ["films"]


def test_two_uploads_at_once_do_not_pass_the_quota_together(appliance: Appliance) -> None:
    size = put_dataset(appliance)
    limit(appliance, 2 * size)

    def with_another_between() -> Iterator[bytes]:
        yield from LINES
        put_dataset(appliance, name="between")

    with pytest.raises(Refused, match=r"quota\.bytes"):
        appliance.put_dataset("acme", "late", with_another_between(), "jsonl", "text", "label")
    assert used(appliance) == 2 * size
    assert len(files(appliance, "datasets")) == 2


def test_training_that_would_pass_the_quota_is_refused_at_once(appliance: Appliance) -> None:
    shared = make_vplm(appliance)
    make_vplm(appliance, "acme/b", adapter=shared.adapter)
    put_dataset(appliance)
    request = TrainRequest(vplm="acme/b", dataset="films", epochs=1)
    # The adapter that it starts from stays, for the other vPLM uses it.
    limit(appliance, used(appliance) + shared.stored_bytes // 2)
    with pytest.raises(Refused, match=r"quota\.bytes"):
        appliance.train(request)
    assert appliance.jobs(None, 10, None).total == 0
    limit(appliance, used(appliance) + 2 * shared.stored_bytes)
    assert ended(appliance, appliance.train(request).id).state == "succeeded"


def test_the_disk_is_told_by_kind_and_agrees_with_the_files(appliance: Appliance) -> None:
    make_vplm(appliance)
    put_dataset(appliance)
    make_domain(appliance, "films")
    for kind, folder in (("adapters", "blobs"), ("datasets", "datasets"), ("corpora", "corpora")):
        found = files(appliance, folder)
        assert (stock(appliance, kind).files, stock(appliance, kind).bytes) == (
            len(found),
            sum(path.stat().st_size for path in found),
        )
    told = appliance.storage()
    assert stock(appliance, "tables").bytes > 0
    assert stock(appliance, "catalogue").bytes > 0
    assert told.bytes == sum(each.bytes for each in told.data)
    assert told.garbage_bytes == 0
    assert 0 < told.disk_free_bytes < told.disk_bytes


def test_what_nothing_refers_to_is_garbage(appliance: Appliance) -> None:
    one = make_vplm(appliance)
    make_domain(appliance, "films")
    put_dataset(appliance)
    core = core_of(appliance)
    (path,) = files(appliance, "datasets")
    path.with_name("films.0.jsonl").write_bytes(b"orphan")
    stray = core.blobs.put({}, {"made": "by nobody"})
    garbage = {each.kind: each.garbage_bytes for each in appliance.storage().data}
    assert garbage["datasets"] == 6
    assert garbage["adapters"] == stray.bytes
    assert sum(garbage.values()) == appliance.storage().garbage_bytes == 6 + stray.bytes
    assert core.blobs.exists(one.adapter)
