from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import Damaged
from engine.size.machines import CALIBRATION, CPU, keep_measured, read_measured


def test_without_a_calibration_the_shipped_figures_hold(tmp_path: Path) -> None:
    assert read_measured(tmp_path / "config.toml") == CPU


def test_what_was_measured_is_kept_beside_the_configuration(tmp_path: Path) -> None:
    mine = replace(CPU, source="mine", miss_token_s=1.0)
    path = keep_measured(mine, tmp_path / "new" / "config.toml")
    assert path == tmp_path / "new" / CALIBRATION
    assert read_measured(tmp_path / "new" / "config.toml") == mine


@pytest.mark.parametrize("kept", ["", "{}", "[]", json.dumps({"source": "x"}), "\xff"])
def test_figures_that_cannot_be_read_are_no_figures(tmp_path: Path, kept: str) -> None:
    (tmp_path / CALIBRATION).write_text(kept, encoding="latin-1")
    with pytest.raises(Damaged, match="calibrate"):
        read_measured(tmp_path / "config.toml")


def test_a_negative_time_is_none(tmp_path: Path) -> None:
    keep_measured(replace(CPU, api_request_s=-1.0), tmp_path / "config.toml")
    with pytest.raises(Damaged, match="no positive number"):
        read_measured(tmp_path / "config.toml")
