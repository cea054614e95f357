"""The demo's texts: complete, reproducible, and honest about what is held out."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    loaded: Manifest = json.loads((DEMO / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def texts_of(name: str) -> list[str]:
    return (DEMO / name).read_text(encoding="utf-8").splitlines()


def rows_of(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in texts_of(name)]


def files_of(manifest: Manifest) -> list[str]:
    corpora = [domain["corpus"] for domain in manifest["domains"]]
    learnt = [manifest["dataset"]["file"], manifest["generator"]["text"]]
    return [*corpora, *learnt, manifest["dataset"]["test"]]


def run_composer(*arguments: str) -> None:
    subprocess.run([sys.executable, str(DEMO / "compose.py"), *arguments], check=True, timeout=60)


def test_the_manifest_names_files_that_exist(manifest: Manifest) -> None:
    assert [name for name in files_of(manifest) if not (DEMO / name).is_file()] == []


def test_the_manifest_lists_parents_before_their_children(manifest: Manifest) -> None:
    listed: set[str | None] = {None}
    for domain in manifest["domains"]:
        assert domain["parent"] in listed, f"{domain['name']} comes before its parent"
        listed.add(domain["name"])
    assert {manifest["dataset"]["domain"], manifest["generator"]["domain"]} <= listed


def test_composing_again_with_the_seed_gives_the_same_bytes(
    manifest: Manifest, tmp_path: Path
) -> None:
    run_composer("--out", str(tmp_path))
    names = {*files_of(manifest), "manifest.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    changed = [n for n in sorted(names) if (tmp_path / n).read_bytes() != (DEMO / n).read_bytes()]
    assert changed == [], "run `python assets/demo/compose.py` and commit what it writes"


def test_another_seed_gives_other_texts(tmp_path: Path) -> None:
    run_composer("--seed", "8", "--out", str(tmp_path))
    other = set((tmp_path / "general.txt").read_text(encoding="utf-8").splitlines())
    assert len(other.intersection(texts_of("general.txt"))) < len(other) / 2


def test_both_parts_of_the_dataset_have_the_labels_of_the_manifest_in_equal_shares(
    manifest: Manifest,
) -> None:
    for part in ("file", "test"):
        counts = Counter(row["label"] for row in rows_of(manifest["dataset"][part]))
        assert set(counts) == set(manifest["dataset"]["labels"])
        assert max(counts.values()) - min(counts.values()) <= 1


def test_no_test_text_is_a_training_text_or_a_line_of_a_corpus(manifest: Manifest) -> None:
    dataset = manifest["dataset"]
    held_out = {row["text"].lower() for row in rows_of(dataset["test"])}
    known = {row["text"].lower() for row in rows_of(dataset["file"])}
    for domain in manifest["domains"]:
        known.update(line.lower() for line in texts_of(domain["corpus"]))
    assert len(held_out) == len(rows_of(dataset["test"]))
    assert held_out & known == set()


def test_every_text_is_one_finished_line_without_unfilled_slots(manifest: Manifest) -> None:
    for domain in manifest["domains"]:
        for line in texts_of(domain["corpus"]):
            assert line == line.strip()
            assert len(line) > 5
            assert not set("{}[]|") & set(line), line
    for part in ("file", "test"):
        for row in rows_of(manifest["dataset"][part]):
            assert set(row) == {"text", "label"}
            assert not set("{}[]|") & set(row["text"]), row["text"]


def test_no_document_occurs_twice_and_all_stay_small(manifest: Manifest) -> None:
    for domain in manifest["domains"]:
        lines = texts_of(domain["corpus"])
        assert len(set(lines)) == len(lines)
    assert sum((DEMO / name).stat().st_size for name in files_of(manifest)) < 1_500_000
