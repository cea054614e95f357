from __future__ import annotations

from pathlib import Path

from hmi_tui.widgets.file_suggester import complete


def test_a_path_is_completed_to_the_first_matching_name(tmp_path: Path) -> None:
    (tmp_path / "reviews.txt").write_text("x")
    (tmp_path / "corpora").mkdir()
    assert complete(f"{tmp_path}/rev") == f"{tmp_path}/reviews.txt"
    assert complete(f"{tmp_path}/c") == f"{tmp_path}/corpora/"
    assert complete(f"{tmp_path}/zzz") is None
    assert complete("/no/such/folder/x") is None
