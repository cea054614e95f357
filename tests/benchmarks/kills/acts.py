"""What is done to the engine while it may be killed, each act over and over in its own thread."""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections.abc import Callable, Iterator

from engine.client import Client
from engine.schema import RebuildRequest, TrainRequest, VplmBulkCreate, VplmCreate
from tests.benchmarks.kills.promises import Promises
from tests.engine.appliance.small import CORPUS
from tests.lives import LABELS, ROWS

TEXT = "a good film"
PUPIL, LIVE = "acme/pupil", "acme/live"
RATE = 100.0
"""Requests a second, of all asking threads together."""
ASKING = 4
BULK = 5
MOST = 120
"""vPLMs beyond which more go than come."""

Act = Callable[[Client, Promises], None]


def furnish(client: Client, promises: Promises, data: Callable[[bytes], object]) -> None:
    key = client.create_tenant("acme").api_key
    promises.digest = _digest(key)
    client.create_domain("reviews")
    client.put_corpus("reviews", iter([CORPUS * 50]))
    for vplm in (PUPIL, LIVE):
        name = vplm.partition("/")[2]
        client.create_vplm(VplmCreate(tenant="acme", name=name, labels=LABELS, domain="reviews"))
        promises.vplms[vplm] = 1
    data(ROWS)


class Acts:
    """`numbers` go on over all lives, so that no name comes twice."""

    def __init__(self, seed: int) -> None:
        self._numbers: Iterator[int] = itertools.count(1)
        self._chance = random.Random(seed)

    def all(self) -> list[Act]:
        others = [self.create, self.delete, self.train, self.publish, self.rebuild, self.rotate]
        return [*others, *[self.ask] * ASKING]

    def create(self, client: Client, promises: Promises) -> None:
        if len(promises.vplms) > MOST:
            time.sleep(0.02)
            return
        name = f"bulk{next(self._numbers)}"
        expected = [f"acme/{name}-{i:05d}" for i in range(1, BULK + 1)]
        with promises.asking(*expected):
            made = client.create_vplms(
                VplmBulkCreate(tenant="acme", name=name, count=BULK, labels=LABELS, rank=2)
            )
            for vplm in made:
                promises.vplms[vplm] = 1
        promises.counts["created"] += len(made)

    def delete(self, client: Client, promises: Promises) -> None:
        there = [vplm for vplm in list(promises.vplms) if "bulk" in vplm]
        if len(there) < MOST // 2:
            time.sleep(0.02)
            return
        vplm = there[0]
        with promises.asking(vplm):
            client.remove_vplm(vplm)
            promises.vplms.pop(vplm)
            promises.answers.pop(vplm, None)
            promises.gone.add(vplm)
        promises.counts["deleted"] += 1

    def train(self, client: Client, promises: Promises) -> None:
        request = TrainRequest(vplm=PUPIL, dataset="data", epochs=1)
        for job in client.watch_job(client.train(request).id):
            if job.state == "succeeded":
                promises.vplms[PUPIL] = max(promises.vplms[PUPIL], int(job.result["version"]))
                promises.counts["trained"] += 1

    def publish(self, client: Client, promises: Promises) -> None:
        promises.vplms[LIVE] = client.promote(PUPIL, "live").version
        promises.counts["published"] += 1

    def rebuild(self, client: Client, promises: Promises) -> None:
        for job in client.watch_job(client.rebuild_domain("reviews", RebuildRequest(alpha=0.9)).id):
            if job.state == "succeeded":
                promises.epoch = int(job.result["epoch"])
                promises.counts["rebuilt"] += 1

    def rotate(self, client: Client, promises: Promises) -> None:
        promises.rotating = True
        promises.digest = _digest(client.rotate_key("acme").api_key)
        promises.rotating = False
        promises.counts["keys"] += 1
        time.sleep(0.05)

    def ask(self, client: Client, promises: Promises) -> None:
        began = time.monotonic()
        known = [vplm for vplm in list(promises.vplms) if vplm not in promises.open]
        vplm = self._chance.choice(known)
        (row,) = client.classify(vplm, TEXT).data
        if vplm not in (PUPIL, LIVE) and vplm in promises.vplms:
            promises.answered(vplm, tuple(row.probs))
        time.sleep(max(0.0, ASKING / RATE - (time.monotonic() - began)))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
