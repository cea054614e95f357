"""Garbage collection beside everybody else: nothing that is referred to ever goes, all else does.

Whoever stores, lets go or collects does so in steps, and the steps of several are interleaved in
any order that hypothesis thinks of. Contents repeat, so that one stores what another is just
letting go of.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from store.blobs import BlobInfo, BlobStore
from store.catalogue import Catalogue
from store.dataset_files import DatasetFiles
from store.errors import InUse, NotFound
from store.rows import AdapterRow, DomainRow, TenantRow, VplmRow

NAMES = ("acme/a", "acme/b")
CONTENTS = st.integers(0, 1)
AT_ONCE = 3
"""Deeds that are under way: more would only keep each other from coming to their ends."""


class Deed:
    """Work in a thread of its own that stands still wherever it calls `pause`."""

    def __init__(self, work: Callable[[Callable[[], None]], None]) -> None:
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self.done = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Callable[[], None]], None]) -> None:
        self._go.acquire()
        try:
            work(self._pause)
        except BaseException as error:  # noqa: BLE001  told to the test by step
            self.error = error
        self.done = True
        self._there.release()

    def _pause(self) -> None:
        self._there.release()
        self._go.acquire()

    def step(self) -> None:
        """Go on to the next pause, or to the end."""
        self._go.release()
        assert self._there.acquire(timeout=20), "the deed neither paused nor ended"
        if self.done:
            self._thread.join()
        if self.error is not None:
            raise self.error


def row_of(info: BlobInfo) -> AdapterRow:
    return AdapterRow(info.id, info.bytes, 1, "both", 2, "random", {}, 1.0)


room = precondition(lambda self: len(self.going) < AT_ONCE)


class Store(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        root = Path(self.home.name)
        self.blobs = BlobStore(root / "blobs")
        self.catalogue = Catalogue(root / "catalogue.db")
        self.catalogue.tenants.add(TenantRow("acme", 1.0, {}, "digest", 1.0))
        self.catalogue.domains.add(DomainRow("general", None, 0, "empty", None, 0, 0, {}, 1.0))
        self.deeds: list[Deed] = []
        self.collection: Deed | None = None

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.catalogue.close()
            self.home.cleanup()

    def end(self) -> None:
        """When all have come to their ends, what is used is there and nothing else is."""
        for deed in self.going:
            while not deed.done:
                deed.step()
        self.let_go(lambda: None)
        self.blobs.collect(self.catalogue.blob_ids, grace=0)
        assert set(self.blobs.ids()) == self.catalogue.adapters.ids()
        assert self.catalogue.adapters.ids() == self.in_use()
        for adapter in self.blobs.ids():
            self.blobs.get(adapter)

    def begin(self, deed: Deed) -> None:
        self.deeds.append(deed)
        deed.step()

    @property
    def going(self) -> list[Deed]:
        return [deed for deed in self.deeds if not deed.done]

    def in_use(self) -> set[str]:
        """By the vPLMs and by their versions."""
        versions = self.catalogue.versions
        kept = {row.adapter for name in NAMES for row in versions.of(*name.split("/"))}
        return kept | {row.adapter for row in self.catalogue.vplms.all()}

    def stored(self, content: int, pause: Callable[[], None]) -> AdapterRow:
        info = self.blobs.put({"a": np.full(4, content, np.float16)}, {})
        pause()
        return row_of(info)

    def let_go(self, pause: Callable[[], None]) -> None:
        """As the engine: the row first, the blob after."""
        for adapter in self.catalogue.adapters.unused():
            with suppress(InUse, NotFound):
                self.catalogue.adapters.remove(adapter)
                pause()
                self.blobs.delete(adapter, self.catalogue.knows_blob)

    @room
    @rule(name=st.sampled_from(NAMES), content=CONTENTS)
    def create(self, name: str, content: int) -> None:
        tenant, _, short = name.partition("/")

        def work(pause: Callable[[], None]) -> None:
            with self.blobs.keeping():
                adapter = self.stored(content, pause)
                made = VplmRow(
                    tenant, short, "classifier", "general", ("a", "b"), "plot", 1, adapter.id, 1,
                    pinned=False, accuracy=None, created_at=1.0,
                )  # fmt: skip
                with suppress(Exception):
                    self.catalogue.vplms.add(made, adapters=[adapter])
                pause()

        self.begin(Deed(work))

    @room
    @rule(name=st.sampled_from(NAMES), content=CONTENTS)
    def train(self, name: str, content: int) -> None:
        def work(pause: Callable[[], None]) -> None:
            with self.blobs.keeping():
                adapter = self.stored(content, pause)
                with suppress(NotFound):
                    self.catalogue.vplms.publish(name, adapter.id, 0.5, adapters=[adapter], keep=1)
            pause()
            self.let_go(pause)

        self.begin(Deed(work))

    @room
    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 9))
    def roll_back(self, name: str, which: int) -> None:
        """To any adapter that is known when it begins; it may be gone when it comes to it."""
        known = sorted(self.catalogue.adapters.ids())

        def work(pause: Callable[[], None]) -> None:
            pause()
            with suppress(NotFound):
                self.catalogue.vplms.publish(name, known[which % len(known)], None, keep=2)

        if known:
            self.begin(Deed(work))

    @room
    @rule(content=CONTENTS)
    def take_from_elsewhere(self, content: int) -> None:
        def work(pause: Callable[[], None]) -> None:
            with self.blobs.keeping():
                adapter = self.stored(content, pause)
                if adapter.id not in self.catalogue.adapters.ids():
                    with suppress(Exception):
                        self.catalogue.adapters.add(replace(adapter, created_by="import"))

        self.begin(Deed(work))

    @room
    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        def work(pause: Callable[[], None]) -> None:
            with suppress(NotFound):
                self.catalogue.vplms.remove(name)
            pause()
            self.let_go(pause)

        self.begin(Deed(work))

    @room
    @rule()
    def collect(self) -> None:
        def work(pause: Callable[[], None]) -> None:
            def known() -> set[str]:
                pause()
                ids = self.catalogue.blob_ids()
                pause()
                return ids

            self.blobs.collect(known, grace=0)

        # Two at once take turns, so the second would not come to its pause.
        if self.collection is None or self.collection.done:
            self.collection = Deed(work)
            self.begin(self.collection)

    @precondition(lambda self: self.going)
    @rule(which=st.integers(0, AT_ONCE - 1))
    def go_on(self, which: int) -> None:
        self.going[which % len(self.going)].step()

    @invariant()
    def whatever_is_referred_to_is_there(self) -> None:
        for adapter in self.catalogue.adapters.ids():
            assert self.blobs.exists(adapter)


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=15,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def blob(store: BlobStore, content: int) -> str:
    return store.put({"a": np.full(4, content, np.float16)}, {}).id


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def test_what_nothing_refers_to_goes_and_is_counted(blobs: BlobStore) -> None:
    kept, stray = blob(blobs, 1), blob(blobs, 2)
    size = blobs.bytes(stray)
    gone = blobs.collect(lambda: {kept}, grace=0)
    assert (gone.files, gone.bytes) == (1, size)
    assert list(blobs.ids()) == [kept]


def test_what_is_young_is_left_alone_and_finding_it_again_makes_it_young(
    blobs: BlobStore,
) -> None:
    stray = blob(blobs, 1)
    assert blobs.collect(set, grace=60).files == 0
    old = time.time() - 100
    path = blobs.path(stray)
    os.utime(path, (old, old))
    blob(blobs, 1)
    assert blobs.collect(set, grace=60).files == 0
    os.utime(path, (old, old))
    assert blobs.collect(set, grace=60).files == 1


def test_what_somebody_is_storing_is_neither_collected_nor_deleted_by_another(
    blobs: BlobStore,
) -> None:
    stored: list[str] = []

    def work(pause: Callable[[], None]) -> None:
        with blobs.keeping():
            stored.append(blob(blobs, 1))
            pause()

    deed = Deed(work)
    deed.step()
    blobs.delete(stored[0])
    assert blobs.collect(set, grace=0).files == 0
    assert blobs.exists(stored[0])
    deed.step()
    blobs.delete(stored[0])
    assert not blobs.exists(stored[0])


def test_who_stores_may_give_up_what_it_stored(blobs: BlobStore) -> None:
    with blobs.keeping():
        mine = blob(blobs, 1)
        blobs.delete(mine)
        assert not blobs.exists(mine)
    with blobs.keeping():
        blob(blobs, 1)
    assert blobs.collect(set, grace=0).files == 1


def test_what_others_have_entered_since_is_theirs(blobs: BlobStore) -> None:
    shared = blob(blobs, 1)
    blobs.delete(shared, lambda each: each == shared)
    assert blobs.exists(shared)
    blobs.delete(shared, lambda each: each != shared)
    assert not blobs.exists(shared)


def test_a_dataset_that_is_being_entered_is_no_garbage(tmp_path: Path) -> None:
    datasets = DatasetFiles(tmp_path / "datasets")
    with datasets.keeping():
        info = datasets.put("acme", "films", [("good", "yes"), ("dull", "no")])
        assert datasets.collect(set, grace=0).files == 0
    assert datasets.collect(lambda: {info.path_name}, grace=0).files == 0
    assert datasets.collect(set, grace=60).files == 0
    assert datasets.collect(set, grace=0).bytes == info.bytes
    assert not datasets.path(info.path_name).exists()
