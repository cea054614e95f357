from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench.domains import DOMAIN_OF
from engine.bench.sources import open_sources
from engine.errors import BadInput, NotFound
from tests.engine.bench.small_data import write_rows

OF = {"films": "reviews", "plots": "reviews"}


def test_all_datasets_of_a_folder_are_found_with_their_domains(data: Path) -> None:
    sources = open_sources(data, (), OF)
    assert list(sources.datasets) == ["films", "plots"]
    assert list(sources.corpora) == ["general", "reviews"]
    films = sources.dataset("films")
    assert (films.domain, films.labels) == ("reviews", ("bad", "good"))
    assert (len(films.train), len(films.test)) == (80, 40)
    assert len(sources.corpus("reviews")) == 120


def test_only_those_asked_for_need_be_there(data: Path) -> None:
    (data / "plots" / "test.jsonl.gz").unlink()
    assert list(open_sources(data, ("films",), OF).datasets) == ["films"]


def test_everything_that_is_missing_is_named_at_once(data: Path) -> None:
    (data / "films" / "test.jsonl.gz").unlink()
    (data / "corpora" / "general.txt.gz").unlink()
    with pytest.raises(NotFound) as caught:
        open_sources(data, (), OF)
    assert "corpora/general.txt.gz" in caught.value.detail
    assert "films/test.jsonl.gz" in caught.value.detail
    assert "plots" not in caught.value.detail
    assert "train.jsonl.gz" in caught.value.remedy


def test_a_dataset_without_a_known_corpus_says_which_option_names_it(data: Path) -> None:
    with pytest.raises(NotFound) as caught:
        open_sources(data, ("films",), {})
    assert "--domain films=CORPUS" in caught.value.remedy


def test_a_corpus_of_the_datasets_own_name_needs_no_option(data: Path) -> None:
    (data / "corpora" / "reviews.txt.gz").rename(data / "corpora" / "films.txt.gz")
    assert open_sources(data, ("films",), {}).datasets["films"].domain == "films"


def test_plain_files_will_do(data: Path) -> None:
    (data / "corpora" / "general.txt.gz").unlink()
    (data / "corpora" / "general.txt").write_text("one\n\ntwo\n")
    assert open_sources(data, (), OF).corpus("general") == ["one", "two"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_datasets_is_told_the_layout(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound) as caught:
        open_sources(tmp_path / name, (), {})
    assert "corpora/NAME.txt.gz" in caught.value.remedy


def test_a_bad_row_is_named_with_its_file_and_line(data: Path) -> None:
    write_rows(data / "films" / "test.jsonl.gz", [("fine", "good"), ("", "bad")])
    with pytest.raises(BadInput, match=r"films/test\.jsonl\.gz.*line 2"):
        open_sources(data, (), OF).dataset("films")


def test_files_that_are_cut_short_or_empty_are_refused_by_name(data: Path) -> None:
    rows, corpus = data / "films" / "train.jsonl.gz", data / "corpora" / "reviews.txt.gz"
    rows.write_bytes(rows.read_bytes()[:-20])
    corpus.write_bytes(b"not gzip at all")
    write_rows(data / "plots" / "test.jsonl.gz", [])
    sources = open_sources(data, (), OF)
    with pytest.raises(BadInput, match=r"films/train\.jsonl\.gz"):
        sources.dataset("films")
    with pytest.raises(BadInput, match=r"plots/test\.jsonl\.gz is empty"):
        sources.dataset("plots")
    with pytest.raises(BadInput, match=r"reviews\.txt\.gz"):
        sources.corpus("reviews")


def test_without_a_folder_the_projects_own_texts_are_used() -> None:
    sources = open_sources(None, (), {})
    (name,) = sources.datasets
    dataset = sources.dataset(name)
    assert len(dataset.labels) == 5
    assert {label for _, label in dataset.test} == set(dataset.labels)
    assert all(sources.corpus(domain) for domain in ("general", dataset.domain))
    with pytest.raises(NotFound, match="sst2"):
        open_sources(None, ("sst2",), {})


def test_every_known_dataset_has_one_of_seven_domains() -> None:
    assert len(DOMAIN_OF) == 14
    assert len(set(DOMAIN_OF.values())) == 7
