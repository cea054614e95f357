from __future__ import annotations

import calendar

import pytest

from engine.appliance import Appliance
from engine.appliance.usage import Usage, month_of, month_start
from engine.config import Settings
from store.errors import BadInput, NoSpace
from tests.engine.appliance.small import classify, core_of, make_tenant, make_vplm, opened


def test_a_month_begins_at_midnight_of_its_first_day() -> None:
    noon = calendar.timegm((2026, 11, 27, 12, 30, 5, 0, 0, 0))
    assert month_of(noon) == "2026-11"
    assert month_start(noon) == calendar.timegm((2026, 11, 1, 0, 0, 0, 0, 0, 0))
    assert month_of(month_start(noon)) == "2026-11"


def test_a_tenant_tells_its_traffic_and_a_vplm_when_it_was_asked(appliance: Appliance) -> None:
    make_vplm(appliance)
    assert appliance.vplm("acme/a").last_used is None
    for _ in range(3):
        classify(appliance, "acme/a", "dull")
    tenant = appliance.tenant("acme")
    assert tenant.requests_month == 3
    assert tenant.requests_per_s > 0
    assert tenant.p99_s is not None
    assert tenant.cost is None
    assert appliance.vplm("acme/a").last_used == pytest.approx(appliance.status().time, abs=60)


def test_requests_and_last_use_outlive_the_engine(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_vplm(first)
        make_vplm(first, "acme/b")
        classify(first, "acme/a", "dull")
        used = first.vplm("acme/a").last_used
    with opened(settings) as second:
        assert second.tenant("acme").requests_month == 1
        assert second.vplm("acme/a").last_used == used
        classify(second, "acme/a", "dull")
        assert second.tenant("acme").requests_month == 2
        ranked = second.vplms("", None, "-last_used", 10, None).data
        assert [vplm.id for vplm in ranked] == ["acme/a", "acme/b"]
        second.remove_tenant("acme")
        make_tenant(second)
        assert second.tenant("acme").requests_month == 0


def test_the_tariff_of_the_config_prices_every_tenant(appliance: Appliance) -> None:
    config = core_of(appliance).settings.paths.config
    config.write_text("[tariff]\nthousand_requests = 2000\ncurrency = 'EUR'\n")
    make_vplm(appliance)
    classify(appliance, "acme/a", "dull")
    cost = appliance.tenants("", None, 10, None).data[0].cost
    assert cost is not None
    assert (cost.requests, cost.total, cost.currency) == (2.0, 2.0, "EUR")
    config.write_text("[tariff]\nthousand_requests = 'many'\n")
    assert any("tariff.thousand_requests" in p.what for p in appliance.status().problems)


def test_what_cannot_be_written_down_is_kept(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = core_of(appliance).catalogue
    usage = Usage(catalogue)
    usage.note("acme", "acme/a")

    def full(*_: object) -> None:
        raise NoSpace("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(catalogue.usage, "add", full)
        with pytest.raises(NoSpace):
            usage.save()
    usage.note("acme", "acme/a")
    assert usage.requests() == {"acme": 2}
    usage.save()
    assert usage.requests() == {"acme": 2}
    usage.note("nobody", "nobody/x")
    usage.save()
    assert "nobody" not in usage.requests()


def test_tenants_are_sorted_by_what_was_measured_and_by_what_it_costs(
    appliance: Appliance,
) -> None:
    core_of(appliance).settings.paths.config.write_text("[tariff]\nthousand_requests = 1000\n")
    for name, asks in (("busy", 3), ("calm", 1), ("idle", 0)):
        make_tenant(appliance, name)
        make_vplm(appliance, f"{name}/a")
        for _ in range(asks):
            classify(appliance, f"{name}/a", "dull")

    def names(sort: str, q: str = "") -> list[str]:
        return [tenant.name for tenant in appliance.tenants(q, sort, 10, None).data]

    assert names("-requests_per_s") == ["busy", "calm", "acme", "idle"]
    assert names("requests_per_s") == ["acme", "idle", "calm", "busy"]
    assert names("-cost") == ["busy", "calm", "acme", "idle"]
    by_p99 = [one.p99_s for one in appliance.tenants("", "p99_s", 10, None).data]
    assert by_p99[:2] == sorted(by_p99[:2], key=lambda p99: p99 or 0)
    assert by_p99[2:] == [None, None], "those that nobody asked come last either way"
    assert names("-p99_s")[2:] == ["acme", "idle"]
    assert names("-cost", "l") == ["calm", "idle"]
    first = appliance.tenants("", "-cost", 1, None)
    assert ([one.name for one in first.data], first.total) == (["busy"], 4)
    rest = appliance.tenants("", "-cost", 9, first.next_cursor)
    assert [one.name for one in rest.data] == ["calm", "acme", "idle"]


def test_an_order_that_nobody_knows_names_those_that_there_are(appliance: Appliance) -> None:
    with pytest.raises(BadInput, match="cannot be sorted by 'colour'") as caught:
        appliance.tenants("", "colour", 10, None)
    assert {"cost", "p99_s", "weight"} <= set(caught.value.remedy.replace(",", "").split())
