"""kill -9 at any moment: what was acknowledged is there and answers, nothing half-made remains."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.bench.own_engine import Running
from engine.client import Client, HmiError
from engine.schema import RebuildRequest, TrainRequest, VplmBulkCreate, VplmCreate
from tests.engine.appliance.small import CORPUS, until
from tests.engine.conftest import WORDS, write_checkpoint
from tests.lives import LABELS, ROWS, Engine, small_engine

UNFINISHED = {"running", "queued"}
KILLS = 3
BULK = 20


@dataclass
class Promises:
    """What the engine has acknowledged, over all its lives."""

    vplms: set[str] = field(default_factory=set)
    version: int = 1
    epoch: int = 0
    bulks: int = 0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deep enough for the layer at which `hmi serve` splits."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), layers=6)


@pytest.fixture
def engine(tmp_path: Path, checkpoint: Path) -> Engine:
    return small_engine(tmp_path, checkpoint)


def furnish(client: Client, data: Path, promises: Promises) -> None:
    client.create_tenant("acme")
    client.create_domain("reviews")
    client.put_corpus("reviews", iter([CORPUS * 50]))
    client.create_vplm(VplmCreate(tenant="acme", name="pupil", labels=LABELS, domain="reviews"))
    promises.vplms.add("acme/pupil")
    data.write_bytes(ROWS)
    client.put_dataset("acme", "data", data)


def create(client: Client, promises: Promises) -> None:
    promises.bulks += 1
    request = VplmBulkCreate(
        tenant="acme", name=f"bulk{promises.bulks}", count=BULK, labels=LABELS, rank=2
    )
    promises.vplms.update(client.create_vplms(request))


def train(client: Client, promises: Promises) -> None:
    request = TrainRequest(vplm="acme/pupil", dataset="data", epochs=1)
    for job in client.watch_job(client.train(request).id):
        if job.state == "succeeded":
            promises.version = job.result["version"]


def rebuild(client: Client, promises: Promises) -> None:
    for job in client.watch_job(client.rebuild_domain("reviews", RebuildRequest(alpha=0.9)).id):
        if job.state == "succeeded":
            promises.epoch = job.result["epoch"]


def work_until_killed(process: Running, client: Client, promises: Promises, delay: float) -> None:
    """All three kinds of writing at once; the engine is killed `delay` seconds into it."""
    killed = threading.Event()
    begun = threading.Barrier(4)
    surprises: list[BaseException] = []

    def again_and_again(act: Callable[[Client, Promises], None]) -> None:
        begun.wait(10)
        try:
            while not killed.is_set():
                act(client, promises)
        except HmiError as error:
            if not killed.is_set():
                surprises.append(error)

    threads = [
        threading.Thread(target=again_and_again, args=(act,)) for act in (create, train, rebuild)
    ]
    for thread in threads:
        thread.start()
    begun.wait(10)
    killed.wait(delay)
    killed.set()
    process.kill()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not surprises


def check(client: Client, home: Path, promises: Promises) -> None:
    """What was acknowledged is there and answers; nothing is half there."""
    unfinished = [job for job in client.jobs(limit=1000).data if job.state in UNFINISHED]
    # A training goes on from its last checkpoint; other jobs have been given up.
    assert {job.type for job in unfinished} <= {"train"}
    for job in unfinished:
        *_, last = client.watch_job(job.id)
        assert last.state == "succeeded", last.error
    there = {card.id for card in client.models().data}
    assert promises.vplms <= there
    # A creation of many that nobody heard of may have happened, but then as a whole.
    assert (len(there) - 1) % BULK == 0
    for model in sorted(there):
        (answer,) = client.classify(model, "a good film").data
        assert sum(answer.probs) == pytest.approx(1, abs=1e-3)
    assert client.vplm("acme/pupil").version >= promises.version
    reviews = client.domain("reviews")
    assert reviews.epoch >= promises.epoch
    assert reviews.state == ("ready" if reviews.epoch else "empty")
    assert not {job.state for job in client.jobs(limit=1000).data} & UNFINISHED
    data = home / "data"
    files = {path for path in data.rglob("*") if path.is_file()}
    assert not [path for path in data.rglob("*") if path.name.startswith(".tmp")]
    known = {adapter.id for adapter in client.adapters(limit=1000).data}
    assert {path.stem for path in files if path.suffix == ".safetensors"} == known
    tables = {path.parent.name for path in files if path.name == "manifest.json"}
    assert tables == ({f"{reviews.epoch:06d}"} if reviews.epoch else set())


@pytest.mark.slow
def test_a_killed_engine_keeps_every_promise_and_leaves_nothing_half_made(
    engine: Engine, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # shown when the test fails
    moments = random.Random(seed)
    promises = Promises()
    for life in range(KILLS + 1):
        with engine.life(first=life == 0) as (process, client):
            if life == 0:
                furnish(client, tmp_path / "data.jsonl", promises)
            else:
                check(client, tmp_path, promises)
            if life < KILLS:
                delay = moments.uniform(0.05, 0.6)
                print(f"life {life}: killed after {delay:.3f} s")
                work_until_killed(process, client, promises, delay)
    assert promises.bulks >= KILLS


def half_made_rows(home: Path) -> list[Path]:
    """Row files of tables in the making that have begun to fill."""
    return [
        path
        for path in (home / "data" / "tables").glob("*/.tmp-*/rows.npy")
        if path.stat().st_size > 0
    ]


def many_lines(count: int) -> bytes:
    """Lines of random words, so that nearly every trigram is another."""
    chance = random.Random(0)
    words = [word for word in WORDS if word.isalpha()]
    return "".join(" ".join(chance.choices(words, k=12)) + "\n" for _ in range(count)).encode()


@pytest.mark.slow
def test_a_rebuild_killed_half_way_leaves_the_epoch_before_serving_and_no_debris(
    engine: Engine, tmp_path: Path
) -> None:
    promises = Promises()
    texts = ["a good film", "my order is late", "the parcel was great"]
    with engine.life(first=False) as (process, client):
        furnish(client, tmp_path / "data.jsonl", promises)
        rebuild(client, promises)
        before = client.classify("acme/pupil", texts)
        assert before.timing.hit_rate
        client.put_corpus("reviews", many_lines(20_000))
        job = client.rebuild_domain("reviews", RebuildRequest(alpha=1.0)).id
        until(lambda: bool(half_made_rows(tmp_path)), "rows of the second epoch")
        process.kill()
    assert half_made_rows(tmp_path)
    with engine.life(first=False) as (_, client):
        check(client, tmp_path, promises)
        assert not half_made_rows(tmp_path)
        reviews = client.domain("reviews")
        assert (reviews.epoch, reviews.state) == (1, "ready")
        after = client.classify("acme/pupil", texts)
        assert after.timing.hit_rate == before.timing.hit_rate
        for old, new in zip(before.data, after.data, strict=True):
            assert new.probs == pytest.approx(old.probs, abs=1e-3)
        killed = client.job(job)
        assert killed.state == "failed"
        assert "start it again" in str(killed.error)
        rebuild(client, promises)
        assert client.domain("reviews").epoch == 2
