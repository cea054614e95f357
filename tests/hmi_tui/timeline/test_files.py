from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.client import BadInput, HmiError
from engine.schema import Trace
from hmi_tui.timeline.files import write_trace
from hmi_tui.typed_files import check_folder

EMPTY = Trace(events=[])


def test_a_trace_is_written_in_the_formats_own_names(tmp_path: Path) -> None:
    write_trace(EMPTY, tmp_path / "t.json", tmp_path / "t.svg")
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"] == []
    assert (tmp_path / "t.svg").read_text().startswith("<svg")


def test_a_file_that_cannot_be_written_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(HmiError, match="cannot be written") as refused:
        write_trace(EMPTY, tmp_path)
    assert refused.value.remedy


def test_a_folder_that_is_not_there_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    check_folder(None)
    check_folder(tmp_path / "t.json")
    with pytest.raises(BadInput, match="There is no folder"):
        check_folder(tmp_path / "none" / "t.json")
