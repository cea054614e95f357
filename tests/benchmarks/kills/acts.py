"""What is done to the engine while it may be killed, each act over and over in its own thread."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator

from engine.client import Client
from engine.schema import SCOPES, RebuildRequest, TrainRequest, VplmBulkCreate, VplmCreate
from tests.benchmarks.kills.promises import Promises
from tests.benchmarks.kills.ring import Given, id_of
from tests.engine.appliance.small import CORPUS
from tests.lives import LABELS, ROWS

TEXT = "a good film"
PUPIL, LIVE = "acme/pupil", "acme/live"
RATE = 100.0
"""Requests a second, of all asking threads together."""
ASKING = 8
BEHIND_S = 0.1
"""What askers that were held up make up for; an engine that was away is not asked all at once."""
BULK = 5
MOST = 120
"""vPLMs beyond which more go than come."""
KEYS = 6
"""The same of each holder's keys, and of tenants that come and go."""
OVERLAP_S = 86_400.0

Act = Callable[[Client, Promises], None]


def furnish(client: Client, promises: Promises, data: Callable[[bytes], object]) -> None:
    _take(promises, "acme", client.create_tenant("acme").api_key)
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
        self._pace = _Pace()

    def all(self) -> list[Act]:
        vplms = [self.create, self.delete, self.train, self.publish, self.rebuild]
        return [*vplms, self.change_keys, self.come_and_go, *[self.ask] * ASKING]

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
        promises.changes["create_vplms"] += 1
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
        promises.changes["remove_vplm"] += 1
        promises.counts["deleted"] += 1

    def train(self, client: Client, promises: Promises) -> None:
        request = TrainRequest(vplm=PUPIL, dataset="data", epochs=1)
        accepted = client.train(request)
        promises.changes["train"] += 1
        promises.trainings.add(accepted.id)
        for job in client.watch_job(accepted.id):
            if job.state == "succeeded":
                promises.trainings.discard(job.id)
                promises.vplms[PUPIL] = max(promises.vplms[PUPIL], int(job.result["version"]))
                promises.counts["trained"] += 1

    def publish(self, client: Client, promises: Promises) -> None:
        made = client.promote(PUPIL, "live")
        promises.vplms[LIVE] = made.version
        promises.published[made.version] = made.adapter
        promises.changes["promote"] += 1
        promises.counts["published"] += 1

    def rebuild(self, client: Client, promises: Promises) -> None:
        accepted = client.rebuild_domain("reviews", RebuildRequest(alpha=0.9))
        promises.changes["rebuild_domain"] += 1
        for job in client.watch_job(accepted.id):
            if job.state == "succeeded":
                promises.epoch = int(job.result["epoch"])
                promises.counts["rebuilt"] += 1

    def change_keys(self, client: Client, promises: Promises) -> None:
        """A new one beside the others, in place of one or of all, at once or later; or one less."""
        tenant = self._chance.choice(["acme", None])
        held = promises.ring.of(tenant)
        how = self._chance.choice(["add", "replace", "overlap", "rotate", "revoke"])
        if how == "revoke" or len(held) > KEYS:
            if held:
                self._revoke(client, promises, self._chance.choice(held))
        elif how == "rotate" and tenant is not None:
            with promises.ring.shutting(held):
                made = client.rotate_key(tenant).api_key
            promises.changes["rotate_key"] += 1
            _take(promises, tenant, made)
        else:
            old = self._chance.choice(held).id if how in ("replace", "overlap") and held else None
            replaces = "all" if how == "rotate" else old
            ends = [given for given in held if replaces in ("all", given.id) and how != "overlap"]
            overlap_s = OVERLAP_S if how == "overlap" else 0.0
            scopes = self._chance.sample(SCOPES, self._chance.randint(1, len(SCOPES)))
            with promises.ring.shutting(ends):
                new = client.create_key(tenant, scopes, replaces, overlap_s)
            promises.changes["create_key" if tenant is None else "create_tenant_key"] += 1
            promises.ring.give(Given(new.id, new.api_key, tenant, tuple(new.scopes)))
        promises.counts["keys"] += 1
        time.sleep(0.02)

    def come_and_go(self, client: Client, promises: Promises) -> None:
        """Tenants, with their keys."""
        passing = sorted(
            {
                given.tenant
                for given in list(promises.ring.opens.values())
                if given.tenant is not None and given.tenant.startswith("passing")
            }
        )
        if len(passing) > KEYS:
            with promises.ring.shutting(promises.ring.of(passing[0])):
                client.remove_tenant(passing[0])
            promises.changes["remove_tenant"] += 1
        else:
            name = f"passing{next(self._numbers):06d}"
            key = client.create_tenant(name).api_key
            promises.changes["create_tenant"] += 1
            _take(promises, name, key)
        promises.counts["tenants"] += 1
        time.sleep(0.05)

    def _revoke(self, client: Client, promises: Promises, given: Given) -> None:
        with promises.ring.shutting([given]):
            client.revoke_key(given.id, given.tenant)
        promises.changes["revoke_key" if given.tenant is None else "revoke_tenant_key"] += 1

    def ask(self, client: Client, promises: Promises) -> None:
        self._pace.wait()
        known = [vplm for vplm in list(promises.vplms) if vplm not in promises.open]
        vplm = self._chance.choice(known)
        (row,) = client.classify(vplm, TEXT).data
        promises.counts["asked"] += 1
        if vplm not in (PUPIL, LIVE) and vplm in promises.vplms:
            promises.answered(vplm, tuple(row.probs))


class _Pace:
    """Moments to ask at, RATE a second, shared by all threads that ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Until the next moment that is nobody else's."""
        with self._lock:
            now = time.monotonic()
            mine = max(self._next, now - BEHIND_S)
            self._next = mine + 1 / RATE
        time.sleep(max(0.0, mine - now))


def _take(promises: Promises, tenant: str, key: str) -> None:
    promises.ring.give(Given(id_of(key), key, tenant, SCOPES))
