from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.appliance.key_ring import KeyRing
from engine.caller import Caller
from engine.config import Settings
from engine.errors import Conflict
from engine.schema import SCOPES, KeyCreate, KeyRotate, TenantCreate
from store.errors import NotFound
from tests.engine.appliance.small import core_of, make_tenant, opened


def _who(appliance: Appliance, key: str) -> str | None:
    """The tenant that a key lets in, "operator", or None if it lets nobody in."""
    caller = appliance.caller(key, "here")
    return None if caller is None else caller.name


def test_a_key_lets_its_holder_in_with_its_scopes(appliance: Appliance) -> None:
    made = appliance.create_key("acme", KeyCreate(scopes=["train", "infer"]))
    assert made.scopes == ["infer", "train"]
    assert made.api_key.startswith(made.id)
    caller = appliance.caller(made.api_key, "10.0.0.7:1")
    assert caller == Caller("acme", made.id, frozenset({"infer", "train"}), "10.0.0.7:1")
    own = appliance.create_key(None, KeyCreate())
    assert _who(appliance, own.api_key) == "operator"
    assert own.scopes == list(SCOPES)
    for wrong in (made.id, made.api_key + "x", made.api_key[:-1], "", "hmi-"):
        assert _who(appliance, wrong) is None


def test_what_is_kept_and_told_of_a_key_does_not_open_anything(appliance: Appliance) -> None:
    made = appliance.create_key("acme", KeyCreate())
    catalogue = core_of(appliance).settings.paths.catalogue
    secret = made.api_key.removeprefix(made.id).encode()
    for path in catalogue.parent.glob("catalogue.db*"):
        assert secret not in path.read_bytes()
    assert made.api_key not in repr(appliance.keys("acme"))


def test_a_new_key_replaces_others_at_once_or_after_an_overlap(appliance: Appliance) -> None:
    first = appliance.create_key("acme", KeyCreate(replaces="all"))
    second = appliance.create_key("acme", KeyCreate(replaces=first.id, overlap_s=3600))
    assert _who(appliance, first.api_key) == _who(appliance, second.api_key) == "acme"
    ends = {key.id: key.expires_at for key in appliance.keys("acme").data}
    assert ends[second.id] is None
    assert ends[first.id] is not None
    third = appliance.rotate_key("acme", KeyRotate(overlap_s=0))
    assert [_who(appliance, key.api_key) for key in (first, second, third)] == [None, None, "acme"]
    with pytest.raises(NotFound, match="no key"):
        appliance.create_key("acme", KeyCreate(replaces="hmi-unknown"))


def test_keys_are_used_for_the_first_time_while_others_are_made(appliance: Appliance) -> None:
    ring = KeyRing(core_of(appliance).catalogue)
    keys = [appliance.create_key("acme", KeyCreate()).api_key for _ in range(20)]
    ring.follow()
    made, before = threading.Event(), sys.getswitchinterval()

    def use() -> None:
        while not made.is_set():
            ring._used = {}
            assert all(ring.caller(key, "here") for key in keys)

    using = threading.Thread(target=use)
    sys.setswitchinterval(1e-6)
    using.start()
    try:
        for _ in range(300):
            ring.follow()
    finally:
        made.set()
        using.join()
        sys.setswitchinterval(before)


def test_a_key_ends_when_its_time_has_come(appliance: Appliance) -> None:
    made = appliance.create_key("acme", KeyCreate())
    appliance.create_key("acme", KeyCreate(replaces=made.id, overlap_s=60))
    now = appliance.keys("acme").data[0].created_at
    for later, opens in ((30, True), (120, False)):
        ring = KeyRing(core_of(appliance).catalogue, clock=lambda at=now + later: at)  # type: ignore[misc]
        assert (ring.caller(made.api_key, "") is not None) is opens


def test_a_revoked_key_opens_nothing_from_then_on(appliance: Appliance) -> None:
    made = appliance.create_key("acme", KeyCreate())
    make_tenant(appliance, "globex")
    for holder in ("globex", None):
        with pytest.raises(NotFound):
            appliance.revoke_key(holder, made.id)
    assert _who(appliance, made.api_key) == "acme"
    appliance.revoke_key("acme", made.id)
    assert _who(appliance, made.api_key) is None
    assert made.id not in {key.id for key in appliance.keys("acme").data}


def test_a_tenants_keys_go_with_it(appliance: Appliance) -> None:
    made = appliance.create_tenant(TenantCreate(name="globex"))
    assert _who(appliance, made.api_key) == "globex"
    appliance.remove_tenant("globex")
    assert _who(appliance, made.api_key) is None
    with pytest.raises(NotFound):
        appliance.keys("globex")


def test_keys_outlive_the_engine(appliance: Appliance, settings: Settings, tmp_path: Path) -> None:
    made = appliance.create_key("acme", KeyCreate())
    paths = settings.paths
    copied = tmp_path / "copy" / "data"
    appliance.close()
    copied.mkdir(parents=True)
    (copied / "catalogue.db").write_bytes(paths.catalogue.read_bytes())
    # Also in a home that got no more than the catalogue.
    with opened(replace(settings, paths=type(paths).find(tmp_path / "copy"))) as restored:
        assert _who(restored, made.api_key) == "acme"


def test_a_holder_has_a_bounded_number_of_keys(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.appliance.keys._MOST", 2)
    appliance.create_key("acme", KeyCreate())
    with pytest.raises(Conflict, match="2 keys") as refused:
        appliance.create_key("acme", KeyCreate())
    assert refused.value.code == "too_many_keys"
    appliance.create_key("acme", KeyCreate(replaces="all"))


def test_use_is_remembered(appliance: Appliance) -> None:
    made = appliance.create_key("acme", KeyCreate())
    assert made.last_used is None
    _who(appliance, made.api_key)
    assert appliance.keys("acme").data[-1].last_used is not None
