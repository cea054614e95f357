"""Invariant 6: what was acknowledged is there and whole after kill -9 at any moment."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.files import DEBRIS
from store.tables import TableFiles

PROGRAM = Path(__file__).with_name("crash_program.py")


def check_home(root: Path) -> list[str]:
    """Everything visible below `root` is whole, sweeping leaves only that; ids of the vPLMs."""
    blobs, tables = BlobStore(root / "blobs"), TableFiles(root / "tables")
    corpora, datasets = CorpusFiles(root / "corpora"), DatasetFiles(root / "datasets")
    with Catalogue(root / "catalogue.db") as catalogue:
        vplms = list(catalogue.vplms.all())
        for vplm in vplms:
            tensors, _ = blobs.get(vplm.adapter)
            assert tensors["down"].shape == (40, 50)
        for blob in blobs.ids():
            blobs.get(blob)
        for epoch in tables.epochs("general"):
            table = tables.open("general", epoch, verify=True)
            assert (table.rows == epoch).all()
        if corpora.exists("general"):
            lines = list(corpora.lines("general"))
            assert len(lines) == 500
            assert len(set(lines)) == 1
        known = {row.path_name for row in catalogue.datasets.all()}
        for path_name in known:
            assert len(list(datasets.rows(path_name))) == 5
        blobs.sweep(catalogue.blob_ids())
        tables.sweep({("general", epoch) for epoch in tables.epochs("general")})
        corpora.sweep()
        datasets.sweep(known)
        assert set(blobs.ids()) == {vplm.adapter for vplm in vplms}
    assert [path for path in root.rglob("*") if path.name.startswith(DEBRIS)] == []
    return [vplm.id for vplm in vplms]


def check_promises(root: Path, said: list[str]) -> None:
    """What the program said before it died is so."""
    kept = set(check_home(root))
    latest: dict[str, int] = {}
    for line in said:
        kind, what = line.split()
        if kind == "vplm":
            assert what in kept
        else:
            latest[kind] = int(what)
    with Catalogue(root / "catalogue.db") as catalogue:
        if "table" in latest:
            assert max(TableFiles(root / "tables").epochs("general")) >= latest["table"]
        if "corpus" in latest:
            line = next(CorpusFiles(root / "corpora").lines("general"))
            assert int(line.removeprefix("corpus ")) >= latest["corpus"]
        if "dataset" in latest:
            path_name = catalogue.datasets.get("acme", "data").path_name
            text, _ = next(DatasetFiles(root / "datasets").rows(path_name))
            assert isinstance(text, str)
            assert int(text.removeprefix("text ")) >= latest["dataset"]


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_nothing_half_made(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, PROGRAM, tmp_path, "EVERY-STEP"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    steps = int(run.stdout.split()[-1])
    assert steps > 40
    before = {f"acme/n-1-{i}" for i in range(3)}
    after = before | {f"acme/n-2-{i}" for i in range(3)}
    for step in range(1, steps + 1):
        assert set(check_home(tmp_path / str(step))) in (before, after)


@pytest.mark.slow
def test_what_was_acknowledged_survives_kills_at_random_moments(tmp_path: Path) -> None:
    moments = random.Random(0)
    for _ in range(5):
        said_path = tmp_path / "said"
        with said_path.open("w") as said:
            program = subprocess.Popen([sys.executable, PROGRAM, tmp_path / "home"], stdout=said)
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(timeout=moments.uniform(0.3, 1.0))
            program.kill()
            assert program.wait(timeout=10) == -signal.SIGKILL
        # The last line may be cut, as the program was; it is then no promise.
        check_promises(tmp_path / "home", said_path.read_text().split("\n")[:-1])
    assert check_home(tmp_path / "home")
