from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.training.pretrain.command import pretrain
from tests.engine.training.pretrain.conftest import a_text

SMALL = ("--layers", "2", "--hidden", "16", "--heads", "2", "--context", "16")


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept[signal.SIGHUP] = signal.getsignal(signal.SIGHUP)
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(a_text(6000), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(pretrain, [str(word) for word in arguments])


def test_a_model_is_made_and_judged(corpus: Path, tmp_path: Path) -> None:
    judged = tmp_path / "other.txt"
    judged.write_text(a_text(50, seed=1), encoding="utf-8")
    sizes = (*SMALL, "--vocabulary", "300", "--tokens", "4096", "--batch-tokens", "256")
    done = run(tmp_path / "model", "--corpus", corpus, "--valid", judged, *sizes)
    assert done.exit_code == 0, done.output
    assert "bits a byte" in done.stderr
    assert (tmp_path / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--minutes", "1", "--tokens", "9"), "Give one"),
        (("--heads", "5"), "--heads"),
        (("--vocabulary", "100"), "257"),
        (("--valid", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(
    corpus: Path, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    done = run(tmp_path / "model", "--corpus", corpus, *flags)
    assert done.exit_code in (1, 4)
    assert said in done.stderr
    assert not (tmp_path / "model").exists()


def test_a_signal_stops_it_in_order(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> float:
        signal.raise_signal(signal.SIGINT)
        return 1.0

    monkeypatch.setattr("engine.training.pretrain.run.rate", interrupted)
    sizes = (*SMALL, "--vocabulary", "300", "--tokens", "40960")
    done = run(tmp_path / "model", "--corpus", corpus, *sizes)
    assert done.exit_code == 130
    assert "stopped after 2,048 tokens" in done.stderr
    assert (tmp_path / "model" / "unfinished.safetensors").is_file()
