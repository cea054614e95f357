from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
import torch

from engine.appliance import Appliance
from engine.appliance.asking import ask_stack
from engine.appliance.publishing import Publication, publish
from engine.appliance.source import store_adapters
from engine.config import Settings
from engine.errors import BadInput, Conflict
from engine.model.adapters import random_adapter
from engine.model.reading import read_texts
from engine.schema import (
    ClassifyRequest,
    PromoteRequest,
    PublishRequest,
    RollbackRequest,
    VplmPatch,
)
from engine.serving.work import Ticket
from store.errors import NotFound
from store.rows import AdapterRow
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
)


def new_adapter(
    appliance: Appliance, seed: int, labels: tuple[str, ...] = ("no", "yes")
) -> AdapterRow:
    """One in the store, as a training would leave it, that answers unlike any other."""
    core = core_of(appliance)
    shape = replace(core.adapter_shape, rank=4)
    weights = random_adapter(shape, len(labels), torch.Generator().manual_seed(seed))
    weights = replace(weights, head=8 * weights.head)
    [row] = store_adapters(
        core.blobs, core.backbone, [weights], domain="general", labels=labels, created_by="job-1"
    )
    core.catalogue.adapters.add(row)
    return row


def publish_another(appliance: Appliance, vplm: str, seed: int, accuracy: float = 0.5) -> str:
    """As a training does; the new adapter's id."""
    core = core_of(appliance)
    adapter = new_adapter(appliance, seed)
    with core.changing:
        row = core.catalogue.vplms.get(vplm)
        publish(core, row, Publication(adapter.id, accuracy, "trained", "job-1"))
    return adapter.id


def roll_back(appliance: Appliance, vplm: str, version: int) -> None:
    appliance.roll_back(vplm, RollbackRequest(version=version))


def test_a_rollback_is_a_new_version_that_answers_as_the_old_one_did(
    appliance: Appliance,
) -> None:
    first = make_vplm(appliance)
    before = probs(appliance, "acme/a")
    publish_another(appliance, "acme/a", 1, 0.8)
    assert probs(appliance, "acme/a") != before
    made = appliance.roll_back("acme/a", RollbackRequest(version=1))
    assert (made.version, made.adapter, made.accuracy) == (3, first.adapter, None)
    assert probs(appliance, "acme/a") == before
    found = appliance.versions("acme/a")
    assert [(v.version, v.accuracy, v.origin, v.serving) for v in found.data] == [
        (3, None, "rollback", True),
        (2, 0.8, "trained", False),
        (1, None, "created", False),
    ]
    assert (found.data[0].source, found.data[2].source) == ("acme/a:1", "random")
    assert found.keeps == core_of(appliance).settings.keep_versions


def test_an_answer_says_which_version_gave_it(appliance: Appliance) -> None:
    make_vplm(appliance)
    publish_another(appliance, "acme/a", 1)
    assert classify(appliance, "acme/a", "a good film").version == 2


async def test_requests_in_flight_end_on_the_version_that_they_began_with(
    settings: Settings,
) -> None:
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        expected = {}
        for seed in (1, 2):
            publish_another(appliance, "acme/a", seed)
            answer = await appliance.classify(ClassifyRequest(model="acme/a", input=list(TEXTS)))
            expected[answer.version] = [row.probs for row in answer.data]
        answered = asyncio.Condition()
        seen: set[int] = {3}

        async def ask() -> None:
            while max(seen) < 15:
                answer = await appliance.classify(
                    ClassifyRequest(model="acme/a", input=list(TEXTS))
                )
                assert answer.version is not None
                # Versions take turns between two adapters.
                like = expected[2 + answer.version % 2]
                for row, wanted in zip(answer.data, like, strict=True):
                    assert row.probs == pytest.approx(wanted, abs=0.03)
                async with answered:
                    seen.add(answer.version)
                    answered.notify_all()

        async def switch() -> None:
            for number in range(4, 16):
                # While eight requests are under way, on the version before.
                await asyncio.to_thread(roll_back, appliance, "acme/a", number - 2)
                async with answered:
                    await answered.wait_for(partial(seen.__contains__, number))

        apart = [abs(a[0] - b[0]) for a, b in zip(expected[2], expected[3], strict=True)]
        assert max(apart) > 0.2, apart
        await asyncio.gather(*(ask() for _ in range(8)), switch())
        assert seen == set(range(3, 16))
        assert not core_of(appliance).totals["errors"]


async def test_a_request_that_waits_is_answered_by_the_version_that_took_it(
    appliance: Appliance,
) -> None:
    make_vplm(appliance)
    publish_another(appliance, "acme/a", 1)
    before = await appliance.classify(ClassifyRequest(model="acme/a", input="a good film"))
    core = core_of(appliance)
    model = core.models.take("acme/a")
    roll_back(appliance, "acme/a", 1)
    # As one that was accepted just before the rollback and is served after it.
    readings = read_texts(core.backbone, ["a good film"])
    ticket = Ticket(1, core.tiers.tier(model.adapter))
    [outcome] = await ask_stack(core.stack, model, "plot", readings, ticket, explain=False)
    assert outcome.values == pytest.approx(before.data[0].probs, abs=0.03)
    assert core.models.take("acme/a").version == 3


def test_versions_beyond_the_limit_go_with_their_files(settings: Settings) -> None:
    with opened(replace(settings, keep_versions=2)) as appliance:
        make_tenant(appliance)
        first = make_vplm(appliance)
        blobs = core_of(appliance).blobs
        second = publish_another(appliance, "acme/a", 1)
        assert blobs.exists(first.adapter)
        third = publish_another(appliance, "acme/a", 2)
        assert [v.version for v in appliance.versions("acme/a").data] == [3, 2]
        assert not blobs.exists(first.adapter)
        with pytest.raises(NotFound, match="has no version 1; it has 2, 3"):
            roll_back(appliance, "acme/a", 1)
        roll_back(appliance, "acme/a", 2)
        # Version 4 has what version 2 had, which therefore stays.
        assert set(blobs.ids()) == {second, third}


def test_kept_versions_survive_a_restart(settings: Settings) -> None:
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        before = probs(appliance, "acme/a")
        publish_another(appliance, "acme/a", 1)
    with opened(settings) as appliance:
        roll_back(appliance, "acme/a", 1)
        assert probs(appliance, "acme/a") == before


def test_a_removed_vplm_takes_the_adapters_of_its_versions_along(appliance: Appliance) -> None:
    make_vplm(appliance)
    publish_another(appliance, "acme/a", 1)
    other = make_vplm(appliance, "acme/b")
    appliance.remove_vplm("acme/a")
    assert list(core_of(appliance).blobs.ids()) == [other.adapter]


def test_a_pinned_vplm_pins_the_version_that_serves(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    appliance.change_vplm("acme/a", VplmPatch(pin=True))
    second = publish_another(appliance, "acme/a", 1)
    assert core_of(appliance).tiers._pinned == {second}
    roll_back(appliance, "acme/a", 1)
    assert core_of(appliance).tiers._pinned == {first.adapter}


def test_an_adapter_of_a_kept_version_is_no_garbage(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    publish_another(appliance, "acme/a", 1)
    assert appliance.adapters("", None, 10, None, unused=True).total == 0
    found = appliance.adapter(first.adapter)
    assert (found.users, found.kept_for) == ([], ["acme/a:1"])
    with pytest.raises(Exception, match='version 1 of vPLM "acme/a"'):
        appliance.remove_adapter(first.adapter)


def test_going_back_to_where_it_is_is_refused(appliance: Appliance) -> None:
    make_vplm(appliance)
    with pytest.raises(Conflict, match="is at version 1 already"):
        roll_back(appliance, "acme/a", 1)
    with pytest.raises(NotFound, match='There is no vPLM "acme/nothing"'):
        roll_back(appliance, "acme/nothing", 1)


def test_a_version_is_promoted_to_another_vplm_of_the_tenant(appliance: Appliance) -> None:
    make_vplm(appliance, "acme/staging")
    make_vplm(appliance, "acme/production")
    publish_another(appliance, "acme/staging", 1, 0.8)
    publish_another(appliance, "acme/staging", 2, 0.7)
    made = appliance.promote("acme/staging", PromoteRequest(to="production", version=2))
    assert (made.id, made.version, made.accuracy, made.note) == ("acme/production", 2, 0.8, "")
    assert appliance.versions("acme/production").data[0].source == "acme/staging:2"
    roll_back(appliance, "acme/staging", 2)
    assert probs(appliance, "acme/production") == probs(appliance, "acme/staging")
    appliance.remove_vplm("acme/staging")
    probs(appliance, "acme/production")


def test_what_tells_other_labels_apart_is_not_promoted(appliance: Appliance) -> None:
    make_vplm(appliance, "acme/staging", ("no", "yes"))
    make_vplm(appliance, "acme/production", ("yes", "no"))
    with pytest.raises(BadInput) as error:
        appliance.promote("acme/staging", PromoteRequest(to="production"))
    assert error.value.code == "labels_differ"
    with pytest.raises(BadInput, match="to itself"):
        appliance.promote("acme/staging", PromoteRequest(to="staging"))
    make_tenant(appliance, "globex")
    make_vplm(appliance, "globex/production")
    with pytest.raises(NotFound, match='no vPLM "acme/elsewhere"'):
        appliance.promote("acme/staging", PromoteRequest(to="elsewhere"))


def test_a_promotion_into_another_domain_says_what_to_know(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, "acme/staging")
    make_vplm(appliance, "acme/production", domain="reviews")
    made = appliance.promote("acme/staging", PromoteRequest(to="production"))
    assert 'made in domain "general" and is served in "reviews"' in made.note


def test_an_adapter_of_the_store_is_published_as_a_version(appliance: Appliance) -> None:
    make_vplm(appliance)
    adapter = new_adapter(appliance, 1)
    made = appliance.publish_adapter("acme/a", PublishRequest(adapter=adapter.id))
    assert (made.version, made.adapter) == (2, adapter.id)
    assert appliance.versions("acme/a").data[0].origin == "upload"
    wide = new_adapter(appliance, 2, ("a", "b", "c"))
    with pytest.raises(BadInput, match="tells 3 labels apart; 2 were given"):
        appliance.publish_adapter("acme/a", PublishRequest(adapter=wide.id))
    assert appliance.vplm("acme/a").version == 2
