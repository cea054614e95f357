from __future__ import annotations

import importlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import Cancelled, Conflict, Damaged
from engine.training.pretrain.command import Work
from engine.training.pretrain.corpus import Corpus, Ids, batches, held_apart
from engine.training.pretrain.folder import UNFINISHED, PretrainOrigin, resume_run, save_run
from engine.training.pretrain.run import Pretraining, PretrainPlan
from tests.engine.training.pretrain.conftest import PLAN, a_text

ORIGIN = PretrainOrigin("abc", PLAN)
BUDGET = 4096


def a_run(rows: list[Ids]) -> Pretraining:
    return Pretraining(rows, PLAN, torch.float32)


def test_a_run_that_was_left_ends_as_one_that_was_not(rows: list[Ids], tmp_path: Path) -> None:
    one_pass = len(list(batches(held_apart(rows)[0], PLAN.shape.context, PLAN.windows, 0, 0)))
    budget = (one_pass + 6) * 256
    whole = a_run(rows)
    whole.run(budget, lambda _: None)
    left = a_run(rows)
    with pytest.raises(Cancelled):
        left.run(budget, lambda _: None, lambda: left.step == one_pass + 3)
    assert left.turn == 1, "it is left in its second pass over the text"
    save_run(tmp_path, left, ORIGIN, budget)
    taken_up = a_run(rows)
    assert resume_run(tmp_path, taken_up, ORIGIN) == budget
    taken_up.run(budget, lambda _: None)
    assert (taken_up.step, taken_up.tokens, taken_up.loss) == (whole.step, whole.tokens, whole.loss)
    for one, other in zip(whole.model.parameters(), taken_up.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "other", [PretrainOrigin("abd", PLAN), PretrainOrigin("abc", replace(PLAN, seed=1))]
)
def test_another_run_is_not_taken_up(
    rows: list[Ids], tmp_path: Path, other: PretrainOrigin
) -> None:
    save_run(tmp_path, a_run(rows), ORIGIN, BUDGET)
    with pytest.raises(Conflict, match="another text"):
        resume_run(tmp_path, a_run(rows), other)


def test_a_damaged_run_is_said_to_be_damaged(rows: list[Ids], tmp_path: Path) -> None:
    save_run(tmp_path, a_run(rows), ORIGIN, BUDGET)
    with (tmp_path / UNFINISHED).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(Damaged, match="cannot be read"):
        resume_run(tmp_path, a_run(rows), ORIGIN)


CORPUS, JUDGED = Corpus(a_text(6000), "c"), Corpus(a_text(60, seed=9), "v")


def work(folder: Path, plan: PretrainPlan = PLAN) -> Work:
    return Work(folder, CORPUS, JUDGED, plan)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "model"
    work(folder).run(None, 120 * 256, threading.Event(), 1e9)
    return folder


def test_a_finished_folder_is_a_checkpoint_for_transformers(finished: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(finished, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(finished)
    assert model.config.activation_function == "gelu_new"
    assert tokenizer.eos_token_id == tokenizer.bos_token_id == 0
    ids = tokenizer("3: the parcel is", return_tensors="pt").input_ids
    said = tokenizer.decode(model.generate(ids, max_new_tokens=6, do_sample=False)[0])
    assert said.startswith("3: the parcel is late")
    assert not (finished / UNFINISHED).exists()


def test_the_report_says_what_it_is_and_how_well_it_does(finished: Path) -> None:
    report = json.loads((finished / "pretrain.json").read_text())
    assert report["corpus_sha256"] == "c"
    assert report["tokens_seen"] == 120 * 256
    assert report["plan"]["shape"]["layers"] == 2
    assert 1 < report["valid"]["perplexity"] < 10
    assert report["valid"]["bytes"] == JUDGED.bytes


def test_a_finished_model_is_not_written_over(finished: Path) -> None:
    with pytest.raises(Conflict, match="finished model"):
        work(finished).run(None, 256, threading.Event(), 1e9)


def test_a_stopped_call_goes_on_with_the_same_budget_or_another(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        work(tmp_path).run(None, 40 * 256, stop, 1e9)
    assert (tmp_path / UNFINISHED).exists()
    again = work(tmp_path)
    again.run(None, None, threading.Event(), 1e9)
    assert again.pretraining.tokens == 40 * 256


def test_a_folder_can_be_used_from_the_first_saving_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class AfterOne(threading.Event):
        """Set once something was saved."""

        def is_set(self) -> bool:
            return (tmp_path / "model.safetensors").exists()

    with pytest.raises(Cancelled):
        work(tmp_path).run(None, 400 * 256, AfterOne(), 0.01)
    assert "held-out perplexity" in capsys.readouterr().err
    transformers: Any = importlib.import_module("transformers")
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path).num_parameters() > 0
