"""Its processes load this module: it imports nothing that takes long."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from engine.bench.crew import Crew
from engine.errors import BadInput, HmiError

VARIABLE = "HMI_TEST_CREW"


@dataclass(frozen=True)
class Work:
    """Stands for a measurement."""

    def __call__(self) -> Callable[[str], int]:
        return work


def work(task: str) -> int:
    if task == "die":
        os._exit(3)
    if task == "refuse":
        raise BadInput("No.", remedy="Ask otherwise.")
    if task == "last":
        signal.pause()
    if task == "variable":
        return int(os.environ[VARIABLE])
    return len(task)


def test_a_crew_hands_out_tasks_and_brings_back_results_and_errors() -> None:
    with Crew(2, Work()) as crew:
        assert sorted(crew.run(["a", "bb", "ccc", "dddd", "eeeee"])) == [1, 2, 3, 4, 5]
        with pytest.raises(BadInput, match="No") as caught:
            list(crew.run(["refuse"]))
    assert caught.value.remedy == "Ask otherwise."


def test_a_crew_says_that_a_member_died_and_leaves_nobody_behind() -> None:
    with Crew(2, Work()) as crew:
        with pytest.raises(HmiError, match="ended before its time"):
            list(crew.run(["die", "last"]))
        processes = crew._processes
    assert all(process.exitcode is not None for process in processes)


def test_a_crew_has_variables_of_its_own_and_this_process_keeps_its_own() -> None:
    before = dict(os.environ)
    with Crew(2, Work(), {VARIABLE: "7"}) as crew:
        assert list(crew.run(["variable", "variable"])) == [7, 7]
    assert dict(os.environ) == before
