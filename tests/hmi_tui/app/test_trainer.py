from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.client import Paths
from engine.schema import Job, Point
from hmi_tui.screens.train_form import dataset_name
from hmi_tui.screens.trainer import TrainerScreen
from tests.hmi_tui.app.screens import fill, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "Train Set.jsonl"
    path.write_text('{"text": "good", "label": "positive"}\n')
    return path


@pytest.mark.parametrize(
    ("file_name", "name"),
    [("train.jsonl.gz", "train"), ("SST 2 (new).csv", "sst-2-new"), ("…", "data")],
)
def test_a_dataset_is_named_after_its_file(file_name: str, name: str) -> None:
    assert dataset_name(file_name) == name


async def test_training_is_started_from_a_file(
    paths: Paths, engine: ScriptedEngine, data: Path
) -> None:
    async with open_app(paths, engine, "trainer").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("n")
        await sees(pilot, "Train a vPLM")
        await fill(pilot, vplm="acme/polarity", data=str(data), epochs="5", lr="0.002")
        await pilot.press("enter")
        await sees(pilot, "Training acme/polarity on 2 rows.")
        await until(pilot, lambda: engine.called("train"))
        request = engine.called("train")[0][0]
        assert (request.dataset, request.epochs, request.lr) == ("train-set", 5, 0.002)
        assert engine.called("put_dataset")[0][2] == data


async def test_bad_hyperparameters_start_nothing(
    paths: Paths, engine: ScriptedEngine, data: Path
) -> None:
    good = {"vplm": "acme/polarity", "data": str(data), "epochs": "3", "lr": "0.001"}
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("n")
        for bad, complaint in (
            ({"vplm": "polarity"}, "names no vPLM"),
            ({"vplm": "acme/none"}, 'There is no vPLM "acme/none".'),
            ({"data": "/nowhere.csv"}, "There is no file '/nowhere.csv'."),
            ({"epochs": "0"}, "greater than or equal to 1"),
            ({"lr": "fast"}, "A number is wanted here."),
        ):
            await fill(pilot, **(good | bad))
            await pilot.press("enter")
            await sees(pilot, complaint)
        assert engine.called("put_dataset") == []


async def test_a_dataset_that_is_refused_keeps_the_form_open(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n")
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("n")
        await fill(pilot, vplm="acme/polarity", data=str(bad))
        await pilot.press("enter")
        await sees(pilot, 'Line 1 has no column "text".', "Train a vPLM")
        assert engine.called("train") == []


def job_of(pilot: Pilot[None]) -> Job:
    screen = pilot.app.screen
    assert isinstance(screen, TrainerScreen)
    assert screen.job is not None
    return screen.job


async def test_the_curves_of_the_chosen_job_grow_while_it_runs(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "trainer").run_test(notifications=True) as pilot:
        await sees(pilot, "▶ 43 %", "0.2870")
        more = [*engine.job_rows[0].loss, Point(step=600, value=0.1234)]
        engine.job_rows[0] = engine.job_rows[0].model_copy(update={"loss": more, "progress": 0.8})
        await sees(pilot, "0.1234", "80 %")
        engine.end_job("j2", "succeeded", accuracy=[Point(step=600, value=0.917)])
        await sees(pilot, "91.7 %", "✓ succeeded", "Training of acme/model-00007 is done.")


async def test_a_job_is_cancelled_after_a_question(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "trainer").run_test(notifications=True) as pilot:
        await sees(pilot, "▶ 43 %")
        await pilot.press("x")
        await sees(pilot, "Cancel the train job of acme/model-00007?")
        await pilot.press("y")
        await sees(pilot, "cancelled")
        assert engine.called("cancel_job") == [("j2",)]
        await until(pilot, lambda: job_of(pilot).ended)
        await pilot.press("x")
        await sees(pilot, "This job has ended already.")


async def test_a_failed_job_says_why(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "▶ 43 %")
        await pilot.press("end", "d")
        await sees(pilot, "✗ failed", "The dataset has one label only.", "optimizer", "adamw")


async def test_jobs_are_filtered(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "globex/tone")
        await pilot.press("/", *"tone")
        await sees(pilot, "1 of 1")
        assert "acme/polarity" not in text_of(pilot)
