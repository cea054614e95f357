from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.catalogue import Catalogue
from store.errors import BadInput, Exists, NotFound
from store.rows import AdapterRow, DatasetRow, TenantRow, VplmRow

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    weight=NUMBERS,
    quota=st.dictionaries(st.text(max_size=8), st.none() | st.integers() | NUMBERS),
)
def test_any_tenant_comes_back_as_it_was_added(
    empty: Catalogue, name: str, weight: float, quota: dict[str, float | int | None]
) -> None:
    row = TenantRow(name, weight, quota, "digest", 1.25)
    empty.tenants.add(row)
    assert empty.tenants.get(name) == row
    empty.tenants.remove(name)


def test_a_tenant_of_that_name_exists_already(catalogue: Catalogue, tenant: TenantRow) -> None:
    with pytest.raises(Exists) as caught:
        catalogue.tenants.add(tenant)
    assert caught.value.detail == 'Tenant "acme" exists already.'
    assert caught.value.remedy
    assert caught.value.code == "conflict"


@pytest.mark.parametrize("method", ["get", "change", "remove"])
def test_a_tenant_that_is_not_there_is_not_found(catalogue: Catalogue, method: str) -> None:
    with pytest.raises(NotFound) as caught:
        getattr(catalogue.tenants, method)("nobody")
    assert str(caught.value) == 'There is no tenant "nobody". hmi tenant ls lists them.'
    assert caught.value.code == "not_found"


def test_changes_leave_the_rest_as_it_was(catalogue: Catalogue, tenant: TenantRow) -> None:
    changed = catalogue.tenants.change("acme", weight=9.0, quota={"rps": 1.0})
    assert changed == replace(tenant, weight=9.0, quota={"rps": 1.0})
    assert catalogue.tenants.get("acme") == changed
    assert catalogue.tenants.change("acme") == changed


def test_a_field_that_is_not_there_or_is_the_name_cannot_be_changed(catalogue: Catalogue) -> None:
    with pytest.raises(TypeError, match="no field colour"):
        catalogue.tenants.change("acme", colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="cannot be changed"):
        catalogue.vplms.change("acme/polarity", name="other")  # type: ignore[call-arg]


def test_pages_are_searched_sorted_and_counted(empty: Catalogue, tenant: TenantRow) -> None:
    for i in range(7):
        empty.tenants.add(replace(tenant, name=f"t{i}", weight=float(i % 2)))
    empty.tenants.add(replace(tenant, name="a%_b"))

    def names(**query: object) -> list[str]:
        return [row.name for row in empty.tenants.page(**query)[0]]  # type: ignore[arg-type]

    assert names(limit=3) == ["a%_b", "t0", "t1"]
    assert names(limit=3, offset=6) == ["t5", "t6"]
    assert names(sort="-name", limit=2) == ["t6", "t5"]
    assert names(q="T", sort="-weight") == ["t1", "t3", "t5", "t0", "t2", "t4", "t6"]
    assert names(q="%_") == ["a%_b"]
    assert empty.tenants.page(q="t", limit=2)[1] == 7
    assert empty.tenants.page(offset=100) == ([], 8)


def test_tenants_sort_by_how_many_vplms_they_have(catalogue: Catalogue) -> None:
    rows, total = catalogue.tenants.page(sort="-vplms")
    assert ([row.name for row in rows], total) == (["acme", "globex"], 2)


def test_an_unknown_sort_is_bad_input_that_names_the_known(catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="cannot be sorted by 'colour'") as caught:
        catalogue.tenants.page(sort="-colour")
    assert "name, weight" in caught.value.remedy


def test_a_removed_tenant_takes_its_things_and_names_what_is_left_over(
    catalogue: Catalogue, adapter: AdapterRow, vplm: VplmRow, dataset: DatasetRow
) -> None:
    own = replace(adapter, id="b" * 64)
    catalogue.vplms.add(replace(vplm, name="own", adapter=own.id), adapters=[own])
    catalogue.vplms.add(replace(vplm, tenant="globex", name="shared"))
    catalogue.datasets.put(dataset)
    assert catalogue.tenants.remove("acme") == ([own.id], [dataset.path_name])
    assert [row.id for row in catalogue.vplms.all()] == ["globex/shared"]
    assert catalogue.datasets.all() == []
    assert catalogue.adapters.unused() == [own.id]
