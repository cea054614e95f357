"""The columns of the list of kept load runs."""

from __future__ import annotations

import time

from hmi_tui import figures
from hmi_tui.load.run import LoadRun
from hmi_tui.widgets.columns import Cell, Column


def _p99(run: LoadRun) -> str:
    latency = run.report.latency_s if run.report is not None else None
    return figures.seconds(latency["p99"] if latency else None)


def _failed(run: LoadRun) -> Cell:
    failed = sum(run.report.errors.values()) if run.report is not None else 0
    return (figures.count(failed), "bad") if failed else "0"


def _answered(run: LoadRun) -> str:
    return figures.rate(run.report.answered_per_s if run.report is not None else None)


RUNS: tuple[Column[LoadRun], ...] = (
    Column("run", lambda run: run.title, 8, grow=2),
    Column("answ/s", _answered, 6, "right"),
    Column("p99", _p99, 6, "right"),
    Column("failed", _failed, 6, "right", rank=1),
    Column("age", lambda run: figures.age(time.time() - run.started_at), 5, "right", rank=2),
)
