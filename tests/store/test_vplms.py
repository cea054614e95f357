from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from store.catalogue import Catalogue
from store.errors import Exists, NotFound
from store.rows import AdapterRow, VplmRow


def many(vplm: VplmRow, adapter: AdapterRow, count: int) -> tuple[list[VplmRow], list[AdapterRow]]:
    adapters = [replace(adapter, id=f"{i:064x}", bytes=i) for i in range(count)]
    vplms = [
        replace(vplm, name=f"n-{i:05d}", adapter=row.id, accuracy=i / count)
        for i, row in enumerate(adapters)
    ]
    return vplms, adapters


def test_a_vplm_comes_back_as_it_was_added(catalogue: Catalogue, vplm: VplmRow) -> None:
    assert vplm.id == "acme/polarity"
    assert catalogue.vplms.get("acme/polarity") == vplm
    other = replace(
        vplm, name="x", labels=('com,ma "quoted"', "é", "\n"), pinned=True, accuracy=0.25
    )
    catalogue.vplms.add(other)
    assert catalogue.vplms.get("acme/x") == other


@pytest.mark.parametrize("name", ["acme/nothing", "nobody/polarity", "acme", "", "acme/x/y"])
def test_a_vplm_that_is_not_there_is_not_found(catalogue: Catalogue, name: str) -> None:
    calls: list[Callable[[str], object]] = [
        catalogue.vplms.get,
        catalogue.vplms.remove,
        catalogue.vplms.change,
        lambda vplm: catalogue.vplms.publish(vplm, "a" * 64, None),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call(name)
        assert str(caught.value) == f'There is no vPLM "{name}". hmi vplm ls lists them.'


def test_what_a_vplm_refers_to_must_be_there(catalogue: Catalogue, vplm: VplmRow) -> None:
    with pytest.raises(NotFound, match='There is no tenant "nobody"'):
        catalogue.vplms.add(replace(vplm, tenant="nobody"))
    with pytest.raises(NotFound, match='There is no domain "nowhere"'):
        catalogue.vplms.add(replace(vplm, name="x", domain="nowhere"))
    with pytest.raises(NotFound, match='There is no adapter "bbb'):
        catalogue.vplms.add(replace(vplm, name="x", adapter="b" * 64))
    with pytest.raises(NotFound, match='There is no domain "nowhere"'):
        catalogue.vplms.change("acme/polarity", domain="nowhere")
    assert [row.id for row in catalogue.vplms.all()] == ["acme/polarity"]


def test_ten_thousand_vplms_are_one_transaction(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    vplms, adapters = many(vplm, adapter, 10_000)
    catalogue.vplms.add_many(vplms, adapters=adapters)
    assert [row for row in catalogue.vplms.all() if row.name != "polarity"] == vplms
    assert catalogue.vplms.count("acme") == 10_001
    assert catalogue.vplms.count("globex") == 0


def test_if_one_of_many_is_there_already_none_is_added(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    vplms, adapters = many(vplm, adapter, 300)
    with pytest.raises(Exists) as caught:
        catalogue.vplms.add_many([*vplms, vplm], adapters=adapters)
    assert caught.value.detail == 'vPLM "acme/polarity" exists already.'
    with pytest.raises(Exists, match="acme/n-00007"):
        catalogue.vplms.add_many([*vplms, vplms[7]], adapters=adapters)
    assert catalogue.vplms.count() == 1
    assert catalogue.adapters.count() == 1


def test_pages_are_searched_sorted_and_counted(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    vplms, adapters = many(vplm, adapter, 30)
    catalogue.vplms.add_many(vplms, adapters=adapters)
    catalogue.vplms.add(replace(vplm, tenant="globex"))

    def ids(**query: object) -> list[str]:
        return [row.id for row in catalogue.vplms.page(**query)[0]]  # type: ignore[arg-type]

    assert ids(limit=2, offset=1) == ["acme/n-00001", "acme/n-00002"]
    assert ids(tenant="globex") == ["globex/polarity"]
    assert ids(q="ACME/pol") == ["acme/polarity"]
    assert ids(q="polarity", sort="-id") == ["globex/polarity", "acme/polarity"]
    assert ids(q="n-0", sort="-accuracy", limit=2) == ["acme/n-00029", "acme/n-00028"]
    assert ids(q="n-0", sort="stored_bytes", limit=1) == ["acme/n-00000"]
    assert catalogue.vplms.page(q="n-0002", tenant="acme", limit=1)[1] == 10


def test_every_sort_works(catalogue: Catalogue) -> None:
    for sort in catalogue.vplms._rows.kind.sorts:
        assert catalogue.vplms.page(sort=sort)[1] == 1
    for sort in catalogue.adapters._rows.kind.sorts:
        assert catalogue.adapters.page(sort=sort)[1] == 1


def test_walking_all_sees_what_is_written_meanwhile_by_itself(
    catalogue: Catalogue, vplm: VplmRow
) -> None:
    walk = catalogue.vplms.all()
    assert next(walk).name == "polarity"
    catalogue.vplms.change("acme/polarity", pinned=True)
    assert catalogue.vplms.get("acme/polarity").pinned


def test_publishing_swaps_the_adapter_and_bumps_the_version(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    trained = replace(adapter, id="b" * 64, created_by="job-1")
    published = catalogue.vplms.publish(
        "acme/polarity", trained.id, 0.9, adapters=[trained], keep=1
    )
    assert published == replace(vplm, adapter=trained.id, accuracy=0.9, version=2)
    assert catalogue.vplms.get("acme/polarity") == published
    assert catalogue.adapters.unused() == [adapter.id]


def test_a_vplm_removed_meanwhile_is_not_published(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    catalogue.vplms.remove("acme/polarity")
    trained = replace(adapter, id="b" * 64)
    with pytest.raises(NotFound, match="acme/polarity"):
        catalogue.vplms.publish("acme/polarity", trained.id, 0.9, adapters=[trained])
    assert catalogue.adapters.ids() == {adapter.id}


def test_publishing_an_adapter_that_nobody_stored_changes_nothing(
    catalogue: Catalogue, vplm: VplmRow
) -> None:
    with pytest.raises(NotFound, match='no adapter "bbb'):
        catalogue.vplms.publish("acme/polarity", "b" * 64, 0.9)
    assert catalogue.vplms.get("acme/polarity") == vplm


def test_concurrent_publishing_loses_no_version(catalogue: Catalogue, adapter: AdapterRow) -> None:
    with ThreadPoolExecutor(4) as pool:
        rows = list(
            pool.map(
                lambda _: catalogue.vplms.publish("acme/polarity", adapter.id, None), range(20)
            )
        )
    assert sorted(row.version for row in rows) == list(range(2, 22))


def test_users_and_bytes_count_a_shared_adapter_once(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    catalogue.vplms.add(replace(vplm, name="second"))
    catalogue.vplms.add(replace(vplm, tenant="globex"))
    catalogue.adapters.add(replace(adapter, id="b" * 64))
    users = ["acme/polarity", "acme/second", "globex/polarity"]
    assert catalogue.vplms.users_of([adapter.id]) == {adapter.id: users}
    assert catalogue.vplms.stored_bytes() == catalogue.vplms.stored_bytes("acme") == 600_000
    assert catalogue.vplms.stored_bytes("nobody") == 0
    assert catalogue.adapters.total_bytes() == 1_200_000


def test_what_is_unused_is_counted_anew_after_every_change(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    assert catalogue.adapters.unused_size() == (0, 0)
    catalogue.adapters.add(replace(adapter, id="b" * 64))
    assert catalogue.adapters.unused_size() == (1, 600_000)
    catalogue.vplms.add(replace(vplm, name="second", adapter="b" * 64))
    assert catalogue.adapters.unused_size() == (0, 0)
    catalogue.vplms.remove("acme/second")
    assert catalogue.adapters.unused_size() == (1, 600_000)


def test_an_adapter_is_pinned_while_a_vplm_that_answers_with_it_is(
    catalogue: Catalogue, vplm: VplmRow, adapter: AdapterRow
) -> None:
    catalogue.vplms.add(replace(vplm, name="second"))
    assert not catalogue.vplms.pinned(adapter.id)
    catalogue.vplms.change("acme/second", pinned=True)
    assert catalogue.vplms.pinned(adapter.id)
    trained = replace(adapter, id="b" * 64)
    catalogue.vplms.publish("acme/second", trained.id, None, adapters=[trained])
    assert not catalogue.vplms.pinned(adapter.id)
    assert catalogue.vplms.pinned(trained.id)


def test_a_miss_policy_is_the_engines_until_one_is_chosen(
    catalogue: Catalogue, vplm: VplmRow
) -> None:
    assert catalogue.vplms.get("acme/polarity").miss is None
    assert catalogue.vplms.change("acme/polarity", miss="backoff").miss == "backoff"
    assert catalogue.vplms.get("acme/polarity").miss == "backoff"
    assert catalogue.vplms.change("acme/polarity", miss=None).miss is None
    catalogue.vplms.add(replace(vplm, name="second", miss="compute"))
    assert catalogue.vplms.get("acme/second").miss == "compute"
