from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.client import Paths
from engine.schema import Job, Point
from hmi_tui.screens.train_form import dataset_name
from hmi_tui.screens.trainer import TrainerScreen
from tests.hmi_tui.app.engine_documents import job
from tests.hmi_tui.app.screens import WIDE, fill, open_app, sees, text_of, until
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


async def test_beside_the_curves_stands_how_a_job_differs_from_the_usual(
    paths: Paths, engine: ScriptedEngine
) -> None:
    usual = engine.job_rows[0].params
    engine.job_rows[0] = job("job-9", "acme/other", "running", params=usual | {"patience": 2})
    async with open_app(paths, engine, "trainer").run_test(size=WIDE) as pilot:
        await sees(pilot, "batch_size 32, optimizer adamw, patience 2")
        assert not any(name in text_of(pilot) for name in ("began_with", "dropout", "None"))


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


async def test_labels_of_the_file_are_called_as_the_form_says(
    paths: Paths, engine: ScriptedEngine, data: Path
) -> None:
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("n")
        await fill(pilot, vplm="acme/polarity", data=str(data), map="0, 1=positive")
        await pilot.press("ctrl+s")
        await sees(pilot, "'0' does not say what which label is to become.")
        assert engine.called("put_dataset") == []
        await fill(pilot, map="0=negative, 1 = positive")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("train"))
        assert engine.called("put_dataset")[0][-2:] == (("0", "negative"), ("1", "positive"))


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


async def test_the_curves_of_marked_jobs_are_drawn_side_by_side(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "trainer").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("space", "space")
        await sees(pilot, "2 marked", "● acme/model-00007 j2", "▲ acme/polarity j1")
        await sees(pilot, "84.0 % · 84.2 %")
        engine.end_job("j2", "succeeded", accuracy=[Point(step=600, value=0.917)])
        await sees(pilot, "91.7 % · 84.2 %")
        await pilot.press("escape")
        await until(pilot, lambda: "▲ acme/polarity j1" not in text_of(pilot))


async def test_the_confusion_matrix_of_a_training_is_shown(
    paths: Paths, engine: ScriptedEngine
) -> None:
    matrix = {"labels": ["negative", "positive"], "counts": [[41, 9], [0, 50]]}
    engine.job_rows[1] = engine.job_rows[1].model_copy(update={"result": {"confusion": matrix}})
    async with open_app(paths, engine, "trainer").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("m")
        await sees(pilot, "Choose a training that has been evaluated")
        await pilot.press("down")
        await until(pilot, lambda: job_of(pilot).id == "j1")
        await pilot.press("m")
        await sees(pilot, "Held-out rows of acme/polarity", "[41]", "9", "·", "[50]", "82 %")
        await pilot.press("escape", "d")
        await sees(pilot, "optimizer")
        assert "confusion" not in text_of(pilot)


async def test_an_ended_job_is_started_again_with_its_parameters(
    paths: Paths, engine: ScriptedEngine
) -> None:
    params = {"vplm": "globex/tone", "dataset": "mails", "epochs": 7}
    engine.job_rows[2] = engine.job_rows[2].model_copy(update={"params": params})
    async with open_app(paths, engine, "trainer").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("a")
        await sees(pilot, "Choose a job that has ended.")
        await pilot.press("end")
        await until(pilot, lambda: job_of(pilot).id == "j0")
        await pilot.press("a")
        await sees(pilot, "Start the train job of globex/tone again?", "from the beginning")
        await pilot.press("y")
        await until(pilot, lambda: engine.called("train"))
        request = engine.called("train")[0][0]
        assert (request.vplm, request.dataset, request.epochs) == ("globex/tone", "mails", 7)


async def test_a_cancelled_encoder_training_is_resumed(
    paths: Paths, engine: ScriptedEngine
) -> None:
    params = {"alpha": 0.4, "train_minutes": 5.0}
    engine.job_rows = [job("r0", "news", "cancelled", type="rebuild", params=params)]
    async with open_app(paths, engine, "trainer").run_test() as pilot:
        await sees(pilot, "─ rebuild news ─", "cancelled")
        await pilot.press("a")
        await sees(pilot, "goes on where it stopped")
        await pilot.press("y")
        await until(pilot, lambda: engine.called("rebuild_domain"))
        name, request = engine.called("rebuild_domain")[0]
        assert (name, request.alpha, request.train_minutes) == ("news", 0.4, 5.0)
