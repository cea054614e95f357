"""From an empty home to a trained, answering vPLM: `hmi` in a real terminal, by keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.client import Client, EngineNotRunning, Paths
from hmi_tui.engine_process import stop_engine
from tests.hmi_tui.person import PATIENCE_S, Person, person_at

PLACES = ("the kitchen", "our office", "room seven", "the hall", "the lab")
PRAISE = ("{} is lovely, thank you", "we are very happy with {}", "{} looks great again")
BLAME = ("{} is broken, please repair it", "there is a leak in {}", "{} has no light at all")


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labelled rows, and a corpus of the same kind beside them; the folder that `hmi` runs in."""
    pairs = [("praise", form) for form in PRAISE] + [("blame", form) for form in BLAME]
    rows = [(label, form.format(place)) for place in PLACES for label, form in pairs]
    lines = [json.dumps({"text": text, "label": label}) for label, text in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "corpus.txt").write_text("\n".join(text for _, text in rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Empty; whatever engine runs on it in the end is stopped."""
    yield tmp_path / "home"
    with suppress(EngineNotRunning):
        stop_engine(Paths.find(tmp_path / "home"), kill=True)


def make_tenant(person: Person) -> None:
    person.sees("● up", "Press 2, then n: create a tenant")
    person.presses("2")
    person.sees("n creates one.")
    person.presses("n")
    person.sees("New tenant")
    person.presses("acme", "enter")
    person.sees("Key of acme", "Shown this once")
    person.presses("escape")
    person.sees_no_more("Key of acme")


def build_domain(person: Person) -> None:
    person.presses("3")
    person.sees("No table yet.", "u uploads text for this domain")
    person.presses("n")
    person.sees("New domain")
    person.presses("house", "tab", "tab", "corpus.txt", "enter")
    person.sees("└─ house")
    person.presses("down", "r")
    person.sees("Rebuild house", "It costs about")
    person.presses("enter")
    person.sees("● ready")


def make_vplm(person: Person) -> None:
    person.presses("2")
    person.sees("No vPLMs here yet.")
    person.presses("tab", "n")
    person.sees("New vPLM")
    person.presses("mood", "tab", "tab", "praise, blame", "tab", "enter")
    person.sees("house")
    # One letter: what is typed slowly begins a new search, and then "e" finds "general".
    person.presses("h", "enter")
    person.sees_no_more("general")
    person.presses("ctrl+s")
    person.sees("acme/mood")


def train(person: Person) -> None:
    person.presses("t")
    person.sees("Train a vPLM")
    person.presses("rows.jsonl", *["tab"] * 5, "4", "tab", "0.003", *["tab"] * 3, "8", "enter")
    # The rebuild has succeeded too, and an epoch's accuracy is told before the end.
    person.sees("✓ succeeded: trained 4 epochs")
    person.presses("m")
    person.sees("Held-out rows of acme/mood", "praise")
    person.presses("escape")
    person.sees_no_more("Held-out rows of acme/mood")


def ask(person: Person, text: str) -> None:
    person.presses("6")
    person.sees("Ask acme/mood · domain house")
    person.presses(text)
    person.sees(text)
    person.presses("enter")
    person.sees("› blame", "table hits")  # noqa: RUF001
    person.presses("ctrl+t")
    person.sees("¹ house")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_first_time_operator_gets_from_an_empty_home_to_an_answer(
    home: Path, texts: Path
) -> None:
    with person_at([], (160, 50), {"HMI_HOME": str(home), "HMI_THREADS": "1"}) as person:
        make_tenant(person)
        build_domain(person)
        make_vplm(person)
        train(person)
        ask(person, "there is a leak in our office")
        person.presses("escape")
        person.sees("q Quit")
        person.presses("q")
        person.sees("hmi stop")
        assert person.terminal.ended(PATIENCE_S) == 0
    with Client(paths=Paths.find(home)) as client:
        # The application is gone; what it left running answers.
        assert client.vplm("acme/mood").accuracy is not None
        assert client.classify("acme/mood", "the hall has no light at all").data[0].label == "blame"
