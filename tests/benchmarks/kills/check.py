"""Holding a new life of the engine to what its earlier ones acknowledged."""

from __future__ import annotations

import time
from pathlib import Path

from engine.client import Client
from store.fsck import check_home
from store.known import known_to
from store.places import Places
from store.reading import reading
from tests.benchmarks.kills.acts import LIVE, PUPIL, TEXT
from tests.benchmarks.kills.promises import Promises

_UNFINISHED = {"running", "queued"}
_SAMPLE = 20
_JOB_S = 300.0


def check(client: Client, home: Path, promises: Promises) -> None:
    """Adds to `promises.broken` whatever is not as it was acknowledged."""
    _let_trainings_end(client, promises)
    promises.settle({vplm.id for vplm in client.vplms(limit=1000).data})
    for vplm in (PUPIL, LIVE):
        version = client.vplm(vplm).version
        if version < promises.vplms[vplm]:
            promises.broken.append(f"{vplm} is version {version}, {promises.vplms[vplm]} was said")
        promises.vplms[vplm] = version
    for vplm in [*list(promises.answers)[-_SAMPLE:], *list(promises.vplms)[:_SAMPLE]]:
        (row,) = client.classify(vplm, TEXT).data
        if vplm not in (PUPIL, LIVE):
            promises.answered(vplm, tuple(row.probs))
    epoch = client.domain("reviews").epoch
    if epoch < promises.epoch:
        promises.broken.append(f"epoch {epoch} serves, {promises.epoch} was said")
    promises.epoch = epoch
    _check_files(home, promises)


def _let_trainings_end(client: Client, promises: Promises) -> None:
    """They go on from their last checkpoint; other jobs have been given up."""
    for job in client.jobs(limit=1000).data:
        if job.state in _UNFINISHED:
            deadline = time.monotonic() + _JOB_S
            for news in client.watch_job(job.id):
                if time.monotonic() > deadline:
                    promises.broken.append(f"{job.id} is still {news.state}")
                    break


def _check_files(home: Path, promises: Promises) -> None:
    places = Places(home / "data")
    promises.broken += [fault.what for fault in check_home(places).faults]
    with reading(places.catalogue) as db:
        known = known_to(db)
        (digest,) = db.execute("select key_digest from tenants").fetchone()
    if digest != promises.digest and not promises.rotating:
        promises.broken.append("the tenant's key is not the one that was said")
    promises.digest, promises.rotating = digest, False
    orphans = {path.stem for path in places.blobs.glob("*/*.safetensors")} - known.blobs
    promises.broken += [f"blob {blob} is nobody's" for blob in sorted(orphans)]
    epochs = {
        (path.parent.parent.name, int(path.parent.name))
        for path in places.tables.glob("*/*/manifest.json")
    }
    promises.broken += [f"table {each} is nobody's" for each in sorted(epochs - known.tables)]
    datasets = {f"{path.parent.name}/{path.name}" for path in places.datasets.glob("*/*.jsonl")}
    strays = datasets - {name for name, _ in known.datasets}
    promises.broken += [f"dataset {name} is nobody's" for name in sorted(strays)]
    half = sorted(path for path in places.root.rglob(".tmp-*") if "training" not in path.parts)
    promises.broken += [f"{path} is half-made" for path in half]
