"""A key is shown once: no log, event, status or file has it."""

from __future__ import annotations

import logging

import psutil
import pytest

from engine.appliance import Appliance
from engine.errors import HmiError
from engine.schema import KeyCreate, TenantCreate
from store.backup import back_up
from store.errors import StoreError
from store.places import Places
from tests.engine.appliance.small import core_of, make_vplm


def test_no_key_is_in_any_log_event_status_error_or_file(
    appliance: Appliance, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = [appliance.create_tenant(TenantCreate(name="globex")).api_key]
        keys.append(appliance.rotate_key("globex").api_key)
        # Those of the operator, those with an end, and those that are gone again.
        keys.append(appliance.create_key(None, KeyCreate()).api_key)
        late = KeyCreate(scopes=["infer"], replaces="all", overlap_s=60)
        keys.append(appliance.create_key("globex", late).api_key)
        gone = appliance.create_key("globex", KeyCreate())
        appliance.revoke_key("globex", gone.id)
        keys.append(gone.api_key)
        for key in keys:
            appliance.caller(key, "10.0.0.7:1")
            appliance.caller(f"{key}x", "10.0.0.7:1")
        make_vplm(appliance, "globex/a")
        with pytest.raises((HmiError, StoreError)) as refused:
            appliance.create_tenant(TenantCreate(name="globex"))
    core = core_of(appliance)
    said = [caplog.text, str(refused.value), appliance.status().model_dump_json()]
    said.append(appliance.render_metrics().decode())
    said += [repr(appliance.keys(holder)) for holder in ("globex", None)]
    said += psutil.Process().cmdline()
    paths = core.settings.paths
    backup = paths.data.parent / "backup"
    back_up(Places(paths.data), backup)
    kept = [p.read_bytes() for p in paths.data.parent.rglob("*") if p.is_file()]
    assert any(backup.read_bytes() == content for content in kept)
    for key in keys:
        assert len(key) > 40
        assert not [text for text in said if key in text]
        assert not [content for content in kept if key.encode() in content]
