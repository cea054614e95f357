"""What belongs together is one transaction: it happens or does not, and waits for the disk once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.appliance import Appliance
from engine.schema import (
    KeyCreate,
    PromoteRequest,
    TenantCreate,
    VplmBulkCreate,
    VplmCreate,
    VplmPatch,
)
from tests.engine.appliance.small import core_of, make_vplm

LABELS = ["no", "yes"]
Act = Callable[[Appliance], object]
ONE: dict[str, Act] = {
    "a tenant and its key": lambda a: a.create_tenant(TenantCreate(name="globex")),
    "a key beside others": lambda a: a.create_key("acme", KeyCreate()),
    "a key in place of all": lambda a: a.rotate_key("acme"),
    "a vPLM": lambda a: a.create_vplm(VplmCreate(tenant="acme", name="b", labels=LABELS)),
    "a copy": lambda a: a.create_vplm(VplmCreate(tenant="acme", name="b", from_vplm="acme/a")),
    "many vPLMs": lambda a: a.create_vplms(
        VplmBulkCreate(tenant="acme", name="many", count=50, labels=LABELS, rank=2)
    ),
    "all that can be changed of a vPLM": lambda a: a.change_vplm(
        "acme/a", VplmPatch(mode="exact", miss="backoff", pin=True)
    ),
    "a version": lambda a: a.promote("acme/a", PromoteRequest(to="live")),
    "a tenant with all it has, its blobs' rows after it": lambda a: a.remove_tenant("empty"),
}


@pytest.mark.parametrize("act", ONE.values(), ids=ONE.keys())
def test_what_one_call_enters_is_committed_once(appliance: Appliance, act: Act) -> None:
    appliance.create_tenant(TenantCreate(name="empty"))
    make_vplm(appliance)
    make_vplm(appliance, "acme/live")
    connections = core_of(appliance).catalogue._connections
    before = connections.writes
    act(appliance)
    assert connections.writes - before == 1
