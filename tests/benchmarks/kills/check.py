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

_SAMPLE = 20
_JOB_S = 300.0
_PAGE = 1000


def check(
    client: Client, home: Path, url: str, promises: Promises, *, patient: bool = True
) -> None:
    """Adds to `promises.broken` whatever is not as it was acknowledged; keys are tried at `url`.
    If it is not `patient`, trainings need not have ended, and files are not looked at, for they may
    be being made."""
    _check_audit(client, promises)
    promises.broken += promises.ring.try_all(url)
    _check_trainings(client, promises, patient=patient)
    promises.settle({vplm.id for vplm in client.vplms(limit=1000).data})
    for vplm in (PUPIL, LIVE):
        version = client.vplm(vplm).version
        if version < promises.vplms[vplm]:
            promises.broken.append(f"{vplm} is version {version}, {promises.vplms[vplm]} was said")
        promises.vplms[vplm] = version
    _check_versions(client, promises)
    for vplm in [*list(promises.answers)[-_SAMPLE:], *list(promises.vplms)[:_SAMPLE]]:
        (row,) = client.classify(vplm, TEXT).data
        if vplm not in (PUPIL, LIVE):
            promises.answered(vplm, tuple(row.probs))
    epoch = client.domain("reviews").epoch
    if epoch < promises.epoch:
        promises.broken.append(f"epoch {epoch} serves, {promises.epoch} was said")
    promises.epoch = epoch
    if patient:
        _check_files(home, promises)


def _check_audit(client: Client, promises: Promises) -> None:
    """Each change that was answered has its entry, and no entry is left out."""
    newest, cursor = promises.entered, None
    expected: int | None = None
    while True:
        page = client.audit(limit=_PAGE, cursor=cursor)
        for entry in page.data:
            if entry.id <= promises.entered:
                break
            if expected is not None and entry.id != expected:
                promises.broken.append(f"after entry {entry.id} the audit log has {expected + 1}")
            expected = entry.id - 1
            newest = max(newest, entry.id)
            if entry.status < 400:
                promises.audited[entry.action] += 1
        cursor = page.next_cursor
        if cursor is None or int(cursor) <= promises.entered + 1:
            break
    if expected is not None and expected != promises.entered:
        promises.broken.append(f"the audit log has no entry {expected}")
    promises.entered = newest
    lost = promises.changes - promises.audited
    promises.broken += [f"{n} x {action} is not in the audit log" for action, n in lost.items()]


def _check_versions(client: Client, promises: Promises) -> None:
    """What is kept of the versions that were published has the adapters that were said."""
    found = {each.version: each.adapter for each in client.versions(LIVE).data}
    if promises.published and max(promises.published) not in found:
        promises.broken.append(f"{LIVE} has no version {max(promises.published)}")
    for version, adapter in promises.published.items():
        if found.get(version, adapter) != adapter:
            promises.broken.append(f"{LIVE}:{version} has another adapter than was said")
    promises.published = {
        version: found[version] for version in promises.published if version in found
    }


def _check_trainings(client: Client, promises: Promises, *, patient: bool) -> None:
    """None is lost: they go on from their last checkpoint. Other jobs have been given up."""
    there = {job.id: job for job in client.jobs(limit=1000).data}
    waited = [job.id for job in there.values() if not job.ended] if patient else []
    for unfinished in waited:
        deadline = time.monotonic() + _JOB_S
        for news in client.watch_job(unfinished):
            if time.monotonic() > deadline:
                promises.broken.append(f"{unfinished} is still {news.state}")
                break
    for accepted in sorted(promises.trainings):
        if accepted not in there:
            promises.broken.append(f"training {accepted} is lost")
            continue
        job = client.job(accepted)
        if job.state in ("failed", "cancelled"):
            promises.broken.append(f"training {accepted} {job.state}: {job.error}")
        elif job.ended:
            promises.trainings.discard(accepted)


def _check_files(home: Path, promises: Promises) -> None:
    places = Places(home / "data")
    promises.broken += [fault.what for fault in check_home(places).faults]
    with reading(places.catalogue) as db:
        known = known_to(db)
        keyless = db.execute(
            "select name from tenants where name like 'passing%' "
            "and name not in (select tenant from keys)"
        ).fetchall()
    promises.broken += [f"tenant {name} was made without a key" for (name,) in keyless]
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
