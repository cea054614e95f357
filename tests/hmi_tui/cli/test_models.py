from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from engine.schema import Point
from tests.hmi_tui.cli.documents import ADAPTER_ID, a_job, a_vplm, an_adapter, an_answer
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem, page, that_classifies

Run = Callable[..., Result]


def test_creating_one_prints_its_id(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms", a_vplm())
    result = run("vplm", "create", "acme/polarity", "--labels", "no, yes", "--domain", "reviews")
    assert result.stdout == "acme/polarity\n"
    asked = engine.asked[-1].json
    assert (asked["tenant"], asked["name"], asked["domain"]) == ("acme", "polarity", "reviews")
    assert asked["labels"] == ["no", "yes"]
    assert asked["places"] == ["attention", "feed_forward"]
    run("vplm", "create", "acme/half", "--labels", "no,yes", "--places", "feed_forward")
    assert engine.asked[-1].json["places"] == ["feed_forward"]


def test_a_vplm_is_made_of_a_backbone_and_shows_it_and_its_places(
    engine: FakeEngine, run: Run
) -> None:
    made = a_vplm(backbone="wide:1", backbone_sha256="ab" * 32, places=["feed_forward"])
    engine.on("POST", "/v1/vplms", made)
    run("vplm", "create", "acme/polarity", "--labels", "no,yes", "--backbone", "wide")
    assert engine.asked[-1].json["backbone"] == "wide"
    engine.on("GET", "/v1/vplms/acme/polarity", made)
    told = run("vplm", "show", "acme/polarity").stdout
    assert f"wide:1 ({'ab' * 6})" in told
    assert "feed_forward" in told
    engine.on("GET", "/v1/vplms", page(made))
    assert "wide:1" in run("vplm", "ls").stdout
    gone = a_vplm(backbone="ab" * 6, backbone_sha256="ab" * 32, dedicated_bytes=0)
    engine.on("GET", "/v1/vplms/acme/polarity", gone)
    told = run("vplm", "show", "acme/polarity").stdout
    assert f"{'ab' * 6}, which is not here" in told
    assert "a private copy" not in told


def test_a_count_creates_many_at_once(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms:bulk", {"created": ["acme/p-00001", "acme/p-00002"]})
    result = run("vplm", "create", "acme/p", "--labels", "a,b", "--count", "2")
    assert result.stdout == "acme/p-00001\nacme/p-00002\n"
    assert engine.asked[-1].json["count"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["acme/p", "--labels", "a,a"], "given twice"),
        (["acme/p", "--labels", "a"], "two labels"),
        (["p", "--labels", "a,b"], "TENANT/NAME"),
        (["acme/P!", "--labels", "a,b"], "name"),
        (["acme/p", "--labels", "a,b", "--places", "norm"], "places"),
    ],
)
def test_what_the_schema_refuses_is_told_without_asking_the_engine(
    run: Run, arguments: list[str], told: str
) -> None:
    assert told in run("vplm", "create", *arguments, code=1).stderr


def test_ps_lists_what_is_in_memory_the_device_first(engine: FakeEngine, run: Run) -> None:
    engine.on(
        "GET",
        "/v1/vplms",
        page(a_vplm("a/disk"), a_vplm("a/host", tier="host"), a_vplm("a/dev", tier="device")),
    )
    assert run("vplm", "ps", "-q").stdout == "a/dev\na/host\n"


def test_pinning_asks_for_it(engine: FakeEngine, run: Run) -> None:
    engine.on("PATCH", "/v1/vplms/acme/polarity", a_vplm(pinned=True))
    run("vplm", "pin", "acme/polarity")
    assert engine.asked[-1].json == {"pin": True}
    run("vplm", "unpin", "acme/polarity")
    assert engine.asked[-1].json == {"pin": False}


def test_a_vplm_is_made_with_a_miss_policy_or_the_engines(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms", a_vplm())
    run("vplm", "create", "acme/polarity", "--labels", "no,yes", "--miss", "backoff")
    assert engine.asked[-1].json["miss"] == "backoff"
    run("vplm", "create", "acme/polarity", "--labels", "no,yes")
    assert engine.asked[-1].json["miss"] is None


def test_what_is_set_changes_and_the_rest_stays(engine: FakeEngine, run: Run) -> None:
    engine.on("PATCH", "/v1/vplms/acme/polarity", a_vplm(miss="backoff"))
    result = run("vplm", "set", "acme/polarity", "--mode", "plot", "--miss", "backoff")
    assert engine.asked[-1].json == {"mode": "plot", "miss": "backoff"}
    assert "backoff" in result.stdout
    run("vplm", "set", "acme/polarity", "--miss", "engine", "--domain", "films")
    assert engine.asked[-1].json == {"domain": "films", "miss": None}
    assert "Nothing to change" in run("vplm", "set", "acme/polarity", code=2).stderr


def test_an_answer_that_fell_back_says_so(engine: FakeEngine, run: Run) -> None:
    answer = an_answer("acme/polarity", ["x"])
    answer["timing"] |= {"mode": "exact", "fallback": "The table is damaged."}
    engine.on("POST", "/v1/classify", answer)
    result = run("classify", "acme/polarity", "x")
    assert result.stdout == "yes\t0.9000\tx\n"
    assert result.stderr == "Answered in exact mode: The table is damaged.\n"


def test_a_prediction_is_a_line_of_label_probability_and_text(engine: FakeEngine, run: Run) -> None:
    that_classifies(engine)
    result = run("classify", "acme/polarity", "a good\tfilm", "another")
    assert result.stdout == "yes\t0.9000\ta good film\nyes\t0.9000\tanother\n"


def test_lines_from_stdin_are_asked_in_batches(engine: FakeEngine, run: Run) -> None:
    that_classifies(engine)
    result = run("classify", "acme/polarity", "-", "-q", input="one\n" * 100)
    assert result.stdout == "yes\n" * 100
    assert len(engine.calls("POST", "/v1/classify")) == 2


def test_json_of_a_classification_has_the_timing(engine: FakeEngine, run: Run) -> None:
    that_classifies(engine)
    document = json.loads(run("classify", "acme/polarity", "x", "--json").stdout)
    assert document["timing"]["queue_s"] == 0.001


def test_an_empty_text_is_named_by_its_number(engine: FakeEngine, run: Run) -> None:
    result = run("classify", "acme/polarity", "-", input="one\n\n", code=1)
    assert "Text 2 is empty" in result.stderr


def test_training_uploads_the_rows_then_starts_the_job(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"body": "x", "label": "no"}\n')
    _ready_to_train(engine)
    result = run("train", "acme/polarity", str(data), "--text", "body", "--epochs", "2")
    assert result.stdout == "j1\n"
    upload = engine.calls("PUT", "/v1/tenants/acme/datasets/polarity")[0]
    assert upload.body == data.read_bytes()
    assert (upload.query["text"], upload.query["format"]) == ("body", "jsonl")
    assert engine.asked[-1].json["epochs"] == 2


def test_watching_narrates_plain_lines_and_ends_with_the_accuracy(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"text": "x", "label": "no"}\n')
    _ready_to_train(engine)
    engine.on("GET", "/v1/jobs/j1/events", [a_job("running", 0.25), a_job()])
    result = run("train", "acme/polarity", str(data), "--watch")
    assert "87.5 %" in result.stdout
    assert "running   25%" in result.stderr
    assert "\r" not in result.stderr


def test_a_generator_learns_plain_text_and_is_told_of_by_its_perplexity(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "tales.txt"
    data.write_text("Once.\n\nTwice.\n")
    _ready_to_train(engine)
    tale = a_vplm(task="generate", kind="generator", labels=[], accuracy=0.125, perplexity=8.0)
    engine.on("GET", "/v1/vplms/acme/polarity", tale)
    points = [Point(step=step, value=value) for step, value in ((1, 20.5), (2, 8.0))]
    worse = [point.model_copy(update={"value": 1 / point.value}) for point in points]
    done = a_job(accuracy=worse, perplexity=points, result={"before": 0.05})
    engine.on("GET", "/v1/jobs/j1/events", [done])
    result = run("train", "acme/polarity", str(data), "--watch")
    told = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert told["held-out perplexity"].strip() == "8.00"
    assert told["before"].strip() == "20.00"
    assert "labels" not in result.stderr
    upload = engine.calls("PUT", "/v1/tenants/acme/datasets/polarity")[0]
    assert (upload.query["task"], upload.query["format"]) == ("generate", "text")
    engine.on("GET", "/v1/jobs/j1", done)
    assert "held-out perplexity  20.50, 8.00" in run("job", "show", "j1").stdout
    engine.on("GET", "/v1/vplms", page(tale))
    assert "ppl 8" in run("vplm", "ls").stdout


def test_a_training_that_fails_ends_with_one(engine: FakeEngine, run: Run, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"text": "x", "label": "no"}\n')
    _ready_to_train(engine)
    engine.on("GET", "/v1/jobs/j1/events", [a_job("failed", error="one label only")])
    assert "one label only" in run("train", "acme/polarity", str(data), "--watch", code=1).stderr


def test_a_missing_file_is_told_before_anything_is_asked(engine: FakeEngine, run: Run) -> None:
    assert "cannot be read" in run("train", "acme/polarity", "nowhere.jsonl", code=1).stderr
    assert engine.asked == []


def test_job_logs_tell_each_point_once(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/jobs/j1/events", [a_job("running", 0.5), a_job(message="published")])
    assert run("job", "logs", "j1").stdout.splitlines() == [
        "step 10  loss 0.5000",
        "step 10  held-out accuracy 87.5 %",
        "published",
        "succeeded",
    ]


def test_jobs_are_listed_shown_and_cancelled(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/jobs", page(a_job()))
    engine.on("GET", "/v1/jobs/j1", a_job())
    engine.on("DELETE", "/v1/jobs/j1", a_job("cancelled"))
    assert "acme/polarity" in run("job", "ls", "--state", "succeeded").stdout
    assert engine.asked[-1].query["state"] == "succeeded"
    assert "87.5 %" in run("job", "show", "j1").stdout
    assert run("job", "cancel", "j1").stdout == "j1\n"


def test_adapters_are_listed_short_and_quietly_whole(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/adapters", page(an_adapter(), bytes=1000))
    assert ADAPTER_ID not in run("adapter", "ls").stdout
    assert run("adapter", "ls", "-q").stdout == f"{ADAPTER_ID}\n"


def test_an_adapter_in_use_is_not_removed(engine: FakeEngine, run: Run) -> None:
    path = f"/v1/adapters/{ADAPTER_ID}"
    engine.on("DELETE", path, Problem(409, "conflict", "In use by acme/polarity."))
    assert "In use" in run("adapter", "rm", ADAPTER_ID, code=1).stderr


def _ready_to_train(engine: FakeEngine) -> None:
    receipt = {"tenant": "acme", "name": "polarity", "rows": 1, "labels": {"no": 1}, "bytes": 9}
    engine.on("GET", "/v1/vplms/acme/polarity", a_vplm(accuracy=0.875, version=2))
    engine.on("PUT", "/v1/tenants/acme/datasets/polarity", receipt)
    engine.on("POST", "/v1/jobs", {"id": "j1"})


def test_an_adapter_is_exported_imported_and_verified(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    path = f"/v1/adapters/{ADAPTER_ID}"
    engine.on("GET", f"{path}/file", {"a": 1})
    engine.on("POST", "/v1/adapters", an_adapter())
    engine.on("POST", f"{path}/verify", {"id": ADAPTER_ID, "ok": True, "detail": ""})
    file = tmp_path / "a.safetensors"
    assert run("adapter", "export", ADAPTER_ID, str(file)).stdout == f"{file}\n"
    assert run("adapter", "import", str(file), "-q").stdout == f"{ADAPTER_ID}\n"
    assert engine.calls("POST", "/v1/adapters")[0].body == file.read_bytes()
    assert (
        "1 adapter as before: no byte has changed." in run("adapter", "verify", ADAPTER_ID).stderr
    )
    engine.on("POST", f"{path}/verify", {"id": ADAPTER_ID, "ok": False, "detail": "Cut short."})
    engine.on("GET", "/v1/adapters", page(an_adapter(), bytes=1000))
    found = run("adapter", "verify", code=1)
    assert found.stdout == f"{ADAPTER_ID}  Cut short.\n"
    assert "1 of 1 adapters" in found.stderr
    run("adapter", "ls", "--unused")
    assert engine.calls("GET", "/v1/adapters")[-1].query["unused"] == "true"


TIMING = an_answer("acme/m", ["text"])["timing"]
USAGE = {"prompt_tokens": 3, "total_tokens": 3}


def test_each_task_is_made_with_what_it_needs(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms", a_vplm())
    run("vplm", "create", "acme/e", "--task", "embedding")
    assert (engine.asked[-1].json["task"], engine.asked[-1].json["labels"]) == ("embedding", [])
    run("vplm", "create", "acme/r", "--task", "regression", "--labels", "stars")
    assert engine.asked[-1].json["labels"] == ["stars"]
    assert "labels are needed" in run("vplm", "create", "acme/p", code=1).stderr
    refused = run("vplm", "create", "acme/e", "--task", "embedding", "--labels", "a,b", code=1)
    assert "has no labels" in refused.stderr


def test_two_texts_a_line_are_sent_as_pairs(engine: FakeEngine, run: Run) -> None:
    that_classifies(engine)
    run("classify", "acme/pair", "--pairs", "one\ttwo", '{"text": "a\\tb", "text_pair": "c"}')
    assert engine.asked[-1].json["input"] == [
        {"text": "one", "text_pair": "two"},
        {"text": "a\tb", "text_pair": "c"},
    ]
    assert "not two texts" in run("classify", "acme/pair", "--pairs", "alone", code=1).stderr


def test_all_labels_that_hold_are_printed(engine: FakeEngine, run: Run) -> None:
    one = {"index": 0, "label": "b", "probs": [0.7, 0.9], "num_classes": 2, "labels": ["b", "a"]}
    engine.on("POST", "/v1/classify", an_answer("acme/m", ["text"]) | {"data": [one]})
    assert run("classify", "acme/m", "text").stdout == "b,a\t0.9000\ttext\n"


def test_spans_are_printed_with_the_number_of_their_text(engine: FakeEngine, run: Run) -> None:
    span = {"start": 3, "end": 7, "label": "PER", "score": 0.5, "text": "Lee\tX"}
    data = [{"index": 0, "spans": []}, {"index": 1, "spans": [span]}]
    answer = {"id": "t", "created": 1, "model": "acme/t", "data": data, "labels": ["PER"]}
    engine.on("POST", "/v1/tag", answer | {"usage": USAGE, "timing": TIMING})
    assert run("tag", "acme/t", "a", "b").stdout == "2\t3\t7\tPER\t0.5000\tLee X\n"
    assert engine.asked[-1].json["input"] == ["a", "b"]


def test_numbers_are_printed_before_their_text(engine: FakeEngine, run: Run) -> None:
    data = [{"index": 0, "values": [4.25, 12000.0]}]
    answer = {"id": "p", "created": 1, "model": "acme/r", "data": data, "outputs": ["a", "b"]}
    engine.on("POST", "/v1/predict", answer | {"usage": USAGE, "timing": TIMING})
    assert run("predict", "acme/r", "text").stdout == "4.25\t12000\ttext\n"
    assert run("predict", "acme/r", "text", "-q").stdout == "4.25\t12000\n"


def test_a_vector_is_printed_as_a_list(engine: FakeEngine, run: Run) -> None:
    data = [{"index": 0, "embedding": [0.5, -1.0]}]
    answer = {"model": "acme/e", "data": data, "usage": USAGE, "timing": TIMING}
    engine.on("POST", "/v1/embeddings", answer)
    assert json.loads(run("embed", "acme/e", "text").stdout) == [0.5, -1.0]
