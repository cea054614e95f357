from __future__ import annotations

import pytest

from engine.appliance import Appliance
from engine.errors import BadInput
from engine.schema import Quota, TenantCreate, TenantPatch, VplmPatch
from store.errors import BadInput as StoreBadInput
from store.errors import Exists, NotFound
from tests.engine.appliance.small import core_of, make_tenant, make_vplm, probs


def test_a_tenant_is_created_with_a_key_that_is_shown_once(appliance: Appliance) -> None:
    made = appliance.create_tenant(
        TenantCreate(name="globex", weight=2, quota=Quota(vplms=3, rps=1.5))
    )
    assert made.api_key.startswith("hmi-")
    assert (made.weight, made.vplms, made.stored_bytes) == (2, 0, 0)
    seen = appliance.tenant("globex")
    assert seen.quota == Quota(vplms=3, rps=1.5)
    assert made.api_key not in repr(seen)
    assert made.api_key not in core_of(appliance).catalogue.tenants.get("globex").key_digest


def test_a_tenants_name_is_taken_once(appliance: Appliance) -> None:
    with pytest.raises(Exists, match='"acme" exists'):
        make_tenant(appliance)


def test_weight_and_quota_change_on_their_own(appliance: Appliance) -> None:
    appliance.change_tenant("acme", TenantPatch(quota=Quota(vplms=5)))
    assert appliance.change_tenant("acme", TenantPatch(weight=3)).quota.vplms == 5
    assert appliance.change_tenant("acme", TenantPatch(quota=Quota())).quota == Quota()
    assert appliance.tenant("acme").weight == 3
    with pytest.raises(NotFound):
        appliance.change_tenant("nobody", TenantPatch(weight=1))


def test_a_rotated_key_is_another(appliance: Appliance) -> None:
    first, second = appliance.rotate_key("acme"), appliance.rotate_key("acme")
    assert first.api_key != second.api_key
    with pytest.raises(NotFound):
        appliance.rotate_key("nobody")


def test_tenants_are_listed_in_pages(appliance: Appliance) -> None:
    for i in range(5):
        make_tenant(appliance, f"t{i}")
    page = appliance.tenants("t", "-name", 2, None)
    assert [t.name for t in page.data] == ["t4", "t3"]
    assert page.total == 5
    rest = appliance.tenants("t", "-name", 10, page.next_cursor)
    assert [t.name for t in rest.data] == ["t2", "t1", "t0"]
    assert rest.next_cursor is None
    with pytest.raises(StoreBadInput):
        appliance.tenants("", "colour", 10, None)


@pytest.mark.parametrize("cursor", ["-1", "x", "", "1.5", "²", "9" * 19, "9" * 5000])
def test_a_foreign_cursor_is_refused(appliance: Appliance, cursor: str) -> None:
    with pytest.raises(BadInput) as error:
        appliance.tenants("", None, 10, cursor)
    assert error.value.code == "bad_cursor"


def test_a_removed_tenant_takes_everything_along_but_what_others_use(
    appliance: Appliance,
) -> None:
    make_tenant(appliance, "globex")
    own = make_vplm(appliance, "acme/own")
    shared = make_vplm(appliance, "acme/shared")
    other = make_vplm(appliance, "globex/other", adapter=shared.adapter)
    appliance.change_vplm("acme/shared", VplmPatch(pin=True))
    rows = b'{"text": "a", "label": "no"}\n{"text": "b", "label": "yes"}\n'
    appliance.put_dataset("acme", "data", iter([rows]), "jsonl", "text", "label")
    expected = probs(appliance, "globex/other")
    core = core_of(appliance)
    appliance.remove_tenant("acme")
    for model in ("acme/own", "acme/shared"):
        with pytest.raises(NotFound):
            appliance.vplm(model)
        with pytest.raises(Exception, match="There is no vPLM"):
            probs(appliance, model)
    assert not core.blobs.exists(own.adapter)
    assert list(core.blobs.ids()) == [other.adapter]
    assert [a.id for a in appliance.adapters("", None, 10, None).data] == [other.adapter]
    assert not [p for p in core.settings.paths.datasets.rglob("*") if p.is_file()]
    assert probs(appliance, "globex/other") == expected
    assert not core.tiers._pinned
    with pytest.raises(NotFound):
        appliance.remove_tenant("acme")


def test_a_tenant_whose_adapter_file_is_lost_can_be_removed(appliance: Appliance) -> None:
    lost, whole = make_vplm(appliance, "acme/lost"), make_vplm(appliance, "acme/whole")
    appliance.adapter_file(lost.adapter).unlink()
    appliance.remove_tenant("acme")
    assert not core_of(appliance).blobs.exists(whole.adapter)
    assert appliance.adapters("", None, 10, None).total == 0
