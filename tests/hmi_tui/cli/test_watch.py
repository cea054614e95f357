from __future__ import annotations

import pytest

from engine.client import Cancelled, HmiError
from hmi_tui.cli.watch import Plain, Redrawn, line, succeeded
from tests.hmi_tui.cli.documents import a_job


def test_a_line_tells_progress_loss_accuracy_and_what_is_left() -> None:
    told = line(a_job("running", 0.42, eta_s=90.0, message="epoch 2 of 3"))
    assert told == (
        "train acme/polarity  running   42%  loss 0.5000  held-out accuracy 87.5 %  "
        "1 m 30 s left  epoch 2 of 3"
    )


def test_plain_lines_come_only_when_something_is_worth_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = Plain()
    for hundredth in range(100):
        plain.tell(a_job("running", hundredth / 100))
    assert len(capsys.readouterr().err.splitlines()) == 10


def test_a_redrawn_line_stays_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    redrawn = Redrawn()
    redrawn.tell(a_job("running", 0.1, message="x" * 100))
    redrawn.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("\n")


def test_how_a_job_ended_is_an_error_unless_it_succeeded() -> None:
    assert succeeded(a_job()).id == "j1"
    with pytest.raises(Cancelled):
        succeeded(a_job("cancelled"))
    with pytest.raises(HmiError, match="no labels"):
        succeeded(a_job("failed", error="no labels"))
