"""No request is answered with another vPLM's parameters, whatever happens beside it.

Every vPLM of a test has a head that puts nearly all probability on one label of its own, so an
answer says whose parameters made it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.appliance import Appliance
from engine.appliance.source import store_adapters
from engine.config import Settings
from engine.errors import NotFound
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.schema import (
    DomainCreate,
    RebuildRequest,
    TrainRequest,
    VplmBulkCreate,
    VplmPatch,
)
from store.errors import StoreError
from tests.engine.appliance.small import (
    CORPUS,
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
)

LABELS = [f"l{i}" for i in range(8)]
SEEDS = itertools.count()


def known_adapter(appliance: Appliance, answer: int) -> str:
    """An adapter in the store that always answers label number `answer`."""
    core = core_of(appliance)
    shape = AdapterShape(core.adapter_shape.layers, core.adapter_shape.hidden, 2)
    made = random_adapter(shape, len(LABELS), torch.Generator().manual_seed(next(SEEDS)))
    bias = torch.zeros(len(LABELS))
    bias[answer] = 30.0
    weights = AdapterWeights(**{**made.tensors(), "head_bias": bias})
    (row,) = store_adapters(
        core.blobs,
        core.backbone,
        [weights],
        domain="general",
        labels=tuple(LABELS),
        created_by="test",
    )
    core.catalogue.adapters.add_many([row])
    return row.id


class Crowd:
    """Threads that act again and again until told to stop; the first surprise ends the test."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.surprises: list[BaseException] = []
        self.done: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def add(self, name: str, act: Callable[[int], None]) -> None:
        def run() -> None:
            turn = 0
            while not self.stop.is_set():
                try:
                    act(turn)
                except BaseException as error:  # noqa: BLE001  raised again by run()
                    self.surprises.append(error)
                    self.stop.set()
                turn += 1
                self.done[name] = turn

        self._threads.append(threading.Thread(target=run, name=name))

    def run(self, seconds: float) -> None:
        for thread in self._threads:
            thread.start()
        self.stop.wait(seconds)
        self.stop.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        if self.surprises:
            raise self.surprises[0]
        assert min(self.done.values()) > 1, self.done


def test_nobody_gets_anothers_answer_while_vplms_come_go_and_are_trained(  # noqa: C901
    settings: Settings,
) -> None:
    with opened(settings) as probe:
        one = core_of(probe).tiers.arena.slot_bytes
    tight = replace(settings, device_cache=3 * one, host_cache=60_000)
    with opened(tight) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        for i in range(6):
            model = known_adapter(appliance, i)
            make_vplm(appliance, f"acme/fixed{i}", LABELS, adapter=model, domain="reviews")
        make_vplm(appliance, "acme/pupil", LABELS)
        rows = b"".join(
            b'{"text": "%s", "label": "%s"}\n' % (word, label)
            for word, label in [(b"good film", b"l0"), (b"bad film", b"l1")] * 10
        )
        appliance.put_dataset("acme", "d", iter([rows]), "jsonl", "text", "label")
        crowd = Crowd()

        def ask(turn: int) -> None:
            wanted = turn % 6
            mode: Any = ("plot", "exact")[turn % 2]
            got = classify(appliance, f"acme/fixed{wanted}", ["a good film", "dull"], mode)
            assert [row.label for row in got.data] == [LABELS[wanted]] * 2

        def come_and_go(turn: int) -> None:
            answer = 6 + turn % 2
            model = f"acme/passing{turn}"
            make_vplm(appliance, model, LABELS, adapter=known_adapter(appliance, answer))
            assert classify(appliance, model, "my order").data[0].label == LABELS[answer]
            appliance.remove_vplm(model)
            with pytest.raises(NotFound):
                classify(appliance, model, "my order")

        def replace_one(turn: int) -> None:
            make_vplm(appliance, "acme/swapped", LABELS, adapter=known_adapter(appliance, turn % 8))
            assert classify(appliance, "acme/swapped", "late").data[0].label == LABELS[turn % 8]
            appliance.remove_vplm("acme/swapped")

        def watch_the_swapped(_: int) -> None:
            try:
                got = classify(appliance, "acme/swapped", "late").data[0]
            except NotFound as error:
                if "There is no vPLM" not in error.detail:
                    raise
            else:
                assert max(got.probs) > 0.99

        def train(_: int) -> None:
            job = appliance.train(
                TrainRequest(vplm="acme/pupil", dataset="d", epochs=1, batch_size=8)
            )
            assert ended(appliance, job.id).state == "succeeded"

        def ask_the_pupil(_: int) -> None:
            assert len(classify(appliance, "acme/pupil", "a good film").data[0].probs) == 8

        def rearrange(turn: int) -> None:
            model = f"acme/fixed{turn % 6}"
            domain = ("general", "reviews")[turn % 2]
            appliance.change_vplm(model, VplmPatch(domain=domain))
            name = f"d{turn}"
            appliance.create_domain(DomainCreate(name=name, parent="reviews"))
            appliance.change_vplm(model, VplmPatch(domain=name))
            appliance.remove_domain(name)

        def look(_: int) -> None:
            appliance.status()
            appliance.vplms("", None, None, 100, None)
            appliance.adapters("", None, 100, None)
            appliance.tenant("acme")

        for i in range(2):
            crowd.add(f"ask {i}", ask)
        for act in (
            come_and_go,
            replace_one,
            watch_the_swapped,
            train,
            ask_the_pupil,
            rearrange,
            look,
        ):
            crowd.add(act.__name__, act)
        crowd.run(4.0)
        for turn in range(6):
            ask(turn)
        core = core_of(appliance)
        used = {row.adapter for row in core.catalogue.vplms.all()}
        assert set(core.blobs.ids()) == core.catalogue.blob_ids() >= used
        assert not core.tiers._held


def test_a_table_is_rebuilt_again_and_again_while_answers_stay_the_same(
    appliance: Appliance,
) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, "acme/a", domain="reviews")
    expected = classify(appliance, "acme/a", "a good film").data[0].probs
    crowd = Crowd()

    def rebuild(turn: int) -> None:
        appliance.put_corpus("reviews", iter([CORPUS * (1 + turn % 2)]))
        plan = RebuildRequest(alpha=(0.2, 0.9)[turn % 2])
        assert ended(appliance, appliance.rebuild_domain("reviews", plan).id).state == "succeeded"

    def ask(_: int) -> None:
        got = classify(appliance, "acme/a", "a good film").data[0].probs
        assert got == pytest.approx(expected, abs=1e-5)

    def look(_: int) -> None:
        appliance.ngrams("reviews", "good", 5)
        appliance.domains()

    for act in (rebuild, ask, look):
        crowd.add(act.__name__, act)
    crowd.run(1.5)


def test_of_many_who_create_the_same_name_one_succeeds_and_nothing_else_remains(
    appliance: Appliance,
) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def create() -> None:
        start.wait()
        try:
            make_vplm(appliance, "acme/contested")
            outcomes.append("made")
        except StoreError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["conflict"] * 5 + ["made"]
    assert list(core_of(appliance).blobs.ids()) == [appliance.vplm("acme/contested").adapter]


def test_a_tenant_removed_while_vplms_are_made_leaves_no_file(appliance: Appliance) -> None:
    make_tenant(appliance, "doomed")
    request = VplmBulkCreate(tenant="doomed", name="x", count=40, labels=["a", "b"], rank=2)
    failures: list[Exception] = []

    def create() -> None:
        try:
            appliance.create_vplms(request)
        except StoreError as error:
            failures.append(error)

    thread = threading.Thread(target=create)
    thread.start()
    deadline = time.monotonic() + 5
    core = core_of(appliance)
    while not any(core.settings.paths.blobs.rglob("*.safetensors")) and thread.is_alive():
        assert time.monotonic() < deadline
    appliance.remove_tenant("doomed")
    thread.join(20)
    assert all(isinstance(e, StoreError) and e.code == "not_found" for e in failures)
    assert list(core.blobs.ids()) == []
    assert core.catalogue.adapters.count() == 0
