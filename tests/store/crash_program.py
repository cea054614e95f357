"""Run by test_crash: stores things until it dies, and prints a line for each that is stored.

crash_program.py ROOT               until somebody kills it
crash_program.py ROOT EVERY-STEP    once for each step that touches the disk, in ROOT/1,
                                    ROOT/2 and on, killing itself with SIGKILL at that step
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.rows import AdapterRow, DatasetRow, DomainRow, TenantRow, VplmRow
from store.tables import TableFiles

STEPS = ("write", "fsync", "rename", "replace", "mkdir", "unlink")


def open_catalogue(root: Path) -> Catalogue:
    catalogue = Catalogue(root / "catalogue.db")
    if not catalogue.tenants.count():
        catalogue.tenants.add(TenantRow("acme", 1.0, {}, "digest", 0.0))
    if not catalogue.domains.all():
        catalogue.domains.add(DomainRow("general", None, 0, "empty", None, 0, 0, {}, 0.0))
    return catalogue


def store_round(root: Path, catalogue: Catalogue, number: int) -> None:
    """Store three vPLMs, a table, a corpus and a dataset, and say so after each."""
    parameters = [np.full((40, 50), number * 3 + i, np.float32) for i in range(3)]
    blobs = BlobStore(root / "blobs").put_many(({"down": array}, {}) for array in parameters)
    adapters = [AdapterRow(blob.id, blob.bytes, 4, "both", 2, "random", {}, 0.0) for blob in blobs]
    vplms = [vplm(number, i, blob.id) for i, blob in enumerate(blobs)]
    catalogue.vplms.add_many(vplms, adapters=adapters)
    for row in vplms:
        print("vplm", row.id, flush=True)

    with TableFiles(root / "tables").writer("general", number, (8,), np.float16) as writer:
        writer.append(np.arange(50), np.full((50, 8), number, np.float16))
        writer.set("counts", np.arange(50))
        writer.commit()
    print("table", number, flush=True)

    text = f"corpus {number}\n".encode() * 500
    CorpusFiles(root / "corpora").put("general", [text[:999], text[999:]])
    print("corpus", number, flush=True)

    files = DatasetFiles(root / "datasets")
    info = files.put("acme", "data", ((f"text {number}", "a") for _ in range(5)))
    replaced = catalogue.datasets.put(
        DatasetRow(
            "acme", "data", info.rows, info.labels, info.bytes, info.sha256, info.path_name, 0.0
        )
    )
    print("dataset", number, flush=True)
    if replaced is not None:
        files.remove(replaced.path_name)
        TableFiles(root / "tables").remove("general", number - 1)


def vplm(number: int, i: int, blob: str) -> VplmRow:
    return VplmRow(
        tenant="acme",
        name=f"n-{number}-{i}",
        kind="classifier",
        domain="general",
        labels=("a", "b"),
        mode="plot",
        rank=4,
        adapter=blob,
        version=1,
        pinned=False,
        accuracy=None,
        created_at=0.0,
    )


def die_at(step: int) -> None:
    """Let the process kill itself at its `step`-th call that touches the disk."""
    seen = 0

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == step:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            # A kill loses nothing that the kernel has, so the slow part can be left out.
            return None if name == "fsync" else real(*arguments, **options)

        return call

    for name in STEPS:
        setattr(os, name, counted(name, getattr(os, name)))


def endless(root: Path) -> None:
    with open_catalogue(root) as catalogue:
        number = catalogue.vplms.count()
        while True:
            number += 1
            store_round(root, catalogue, number)


def every_step(root: Path) -> None:
    first = root / "first"
    with open_catalogue(first) as catalogue:
        store_round(first, catalogue, 1)
    step, status = 0, 1
    while status:
        step += 1
        home = root / str(step)
        shutil.copytree(first, home)
        child = os.fork()
        if child == 0:
            with open_catalogue(home) as catalogue:
                die_at(step)
                store_round(home, catalogue, 2)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
    print("steps", step, flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        endless(Path(sys.argv[1]))
    else:
        every_step(Path(sys.argv[1]))
