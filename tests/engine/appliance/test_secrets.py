"""A key is shown once: no log, event, status or file has it."""

from __future__ import annotations

import logging

import pytest

from engine.appliance import Appliance
from engine.errors import HmiError
from engine.schema import TenantCreate
from store.errors import StoreError
from tests.engine.appliance.small import core_of, make_vplm


def test_no_key_is_in_any_log_event_status_error_or_file(
    appliance: Appliance, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = [appliance.create_tenant(TenantCreate(name="globex")).api_key]
        keys.append(appliance.rotate_key("globex").api_key)
        make_vplm(appliance, "globex/a")
        with pytest.raises((HmiError, StoreError)) as refused:
            appliance.create_tenant(TenantCreate(name="globex"))
    core = core_of(appliance)
    said = [caplog.text, str(refused.value), appliance.status().model_dump_json()]
    said.append(appliance.render_metrics().decode())
    kept = [p.read_bytes() for p in core.settings.paths.data.rglob("*") if p.is_file()]
    for key in keys:
        assert len(key) > 20
        assert not [text for text in said if key in text]
        assert not [content for content in kept if key.encode() in content]
