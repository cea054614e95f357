"""The columns of the list of kept load runs."""

from __future__ import annotations

import time

from hmi_tui import figures
from hmi_tui.load.run import LoadRun
from hmi_tui.widgets.columns import Cell, Column, at_hand


def _p99(run: LoadRun) -> float | None:
    latency = run.report.latency_s if run.report is not None else None
    return latency["p99"] if latency else None


def _failures(run: LoadRun) -> int:
    return sum(run.report.errors.values()) if run.report is not None else 0


def _failed(run: LoadRun) -> Cell:
    failed = _failures(run)
    return (figures.count(failed), "bad") if failed else "0"


def _answered(run: LoadRun) -> float | None:
    return run.report.answered_per_s if run.report is not None else None


def _age(run: LoadRun) -> str:
    return figures.age(time.time() - run.started_at)


RUNS: tuple[Column[LoadRun], ...] = (
    at_hand("run", lambda run: run.title, 8, "R", lambda run: run.title, grow=2),
    at_hand("answ/s", lambda r: figures.rate(_answered(r)), 6, "A", _answered, align="right"),
    at_hand("p99", lambda run: figures.seconds(_p99(run)), 6, "P", _p99, align="right"),
    at_hand("failed", _failed, 6, "F", _failures, align="right", rank=1),
    at_hand("age", _age, 5, "C", lambda run: run.started_at, align="right", rank=2),
)
