"""Several backbones in one engine: each vPLM is answered by its own, whoever asks beside it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput, NotFound
from engine.schema import (
    ClassifyRequest,
    DomainCreate,
    EmbeddingsRequest,
    Mode,
    PromoteRequest,
    PublishRequest,
    StarterPublish,
    VplmPatch,
)
from tests.engine.appliance.several import (
    Answers,
    import_as,
    make_unlike,
    mixed,
    twin_checkpoint,
    wide_checkpoint,
)
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
)

__all__ = ["mixed", "twin_checkpoint", "wide_checkpoint"]


def alone(settings: Settings, backbone: str) -> list[list[float]]:
    """What acme/BACKBONE answers where its backbone is the engine's own and no other is loaded."""
    own = replace(settings, backbone=Path(backbone), encoder=None, split=None, further_backbones=0)
    with opened(own) as engine:
        return probs(engine, f"acme/{backbone}", mode="exact")


def test_a_vplm_picks_its_backbone_and_shows_it(mixed: Appliance) -> None:
    made = make_vplm(mixed, "acme/a", backbone="wide")
    assert (made.backbone, made.tier) == ("wide:1", "disk")
    assert made.backbone_sha256 == mixed.backbone("wide").sha256
    own = make_vplm(mixed, "acme/b")
    assert own.backbone_sha256 == core_of(mixed).backbone.sha256
    # Creating it loads nothing; being asked does.
    assert mixed.backbone("wide").state == "unloaded"
    answer = classify(mixed, "acme/a", "a good film")
    assert mixed.backbone("wide").state == "loaded"
    assert mixed.vplm("acme/a").tier == "device"
    assert answer.timing.fallback is not None
    assert "no n-gram encoder for the backbone wide" in answer.timing.fallback
    with pytest.raises(NotFound, match='no backbone "tall"'):
        make_vplm(mixed, "acme/c", backbone="tall")


@pytest.mark.parametrize("name", ["wide", "twin"])
def test_beside_the_own_one_it_answers_as_it_does_by_itself(
    mixed: Appliance, settings: Settings, name: str
) -> None:
    own = make_unlike(mixed, "acme/own", [])
    # The same question to the other model is another answer, or this test would tell nothing.
    make_unlike(mixed, f"acme/{name}", [own], backbone=name)
    beside, tolerance = probs(mixed, f"acme/{name}"), tolerance_of(mixed)
    mixed.close()
    assert same(beside, alone(settings, name), tolerance)


def test_nobody_is_answered_by_another_backbone_however_they_are_mixed(mixed: Appliance) -> None:
    wanted: dict[tuple[str, Mode], Answers] = {}
    for name in (None, "wide", "twin"):
        for number in range(2):
            vplm = f"acme/{name or 'own'}{number}"
            exact = make_unlike(mixed, vplm, wanted.values(), backbone=name)
            wanted[vplm, "exact"] = exact
            wanted[vplm, "plot"] = probs(mixed, vplm, mode="plot")
    tolerance, ways = tolerance_of(mixed), list(wanted)

    async def ask(turn: int) -> None:
        way, text = ways[turn % len(ways)], turn % len(TEXTS)
        request = ClassifyRequest(model=way[0], input=TEXTS[text], mode=way[1])
        answer = await mixed.classify(request)
        assert same([answer.data[0].probs], [wanted[way][text]], tolerance), (way, text)

    async def crowd() -> None:
        await asyncio.gather(*(ask(turn * 7) for turn in range(60)))

    with ThreadPoolExecutor(3) as threads:
        for ended in [threads.submit(asyncio.run, crowd()) for _ in range(3)]:
            ended.result(60)
    metrics = mixed.render_metrics().decode()
    for name in ("wide:1", "twin:1"):
        assert f'hmi_backbone_waiting{{backbone="{name}"}} 0.0' in metrics


def test_one_that_comes_back_under_its_name_on_another_backbone_answers_as_it_is(
    mixed: Appliance,
) -> None:
    make_vplm(mixed, "acme/twin", backbone="twin")
    make_vplm(mixed, "acme/own")
    wanted = probs(mixed, "acme/twin"), probs(mixed, "acme/own", mode="exact")
    tolerance = tolerance_of(mixed)
    stop = threading.Event()

    def ask() -> int:
        answered = 0
        while not stop.is_set():
            # Between two of them there is none.
            with contextlib.suppress(NotFound):
                found = probs(mixed, "acme/a", mode="exact")
                assert any(same(found, each, tolerance) for each in wanted)
                answered += 1
        return answered

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        for turn in range(12):
            make_vplm(mixed, "acme/a", (), from_vplm=("acme/twin", "acme/own")[turn % 2])
            probs(mixed, "acme/a")
            mixed.remove_vplm("acme/a")
        stop.set()
        assert all(each.result(20) > 0 for each in asking)


def test_an_embedding_has_the_size_of_its_own_backbone(mixed: Appliance) -> None:
    sizes = {}
    for name in ("wide", "twin"):
        make_vplm(mixed, f"acme/{name}", (), backbone=name, task="embedding")
        request = EmbeddingsRequest(model=f"acme/{name}", input="a good film")
        vector = asyncio.run(mixed.embed(request)).data[0].embedding
        sizes[name] = len(vector)
    assert sizes == {"wide": 48, "twin": 32}


def test_nothing_made_for_one_backbone_is_taken_over_to_another(mixed: Appliance) -> None:
    twin = make_vplm(mixed, "acme/twin", backbone="twin")
    own = make_vplm(mixed, "acme/own")
    mixed.publish_starter(StarterPublish(vplm="acme/twin", name="start"))
    starts = (
        {"from_vplm": "acme/own"},
        {"from_starter": "start", "backbone": "wide"},
        {"adapter": own.adapter},
    )
    for start in starts:
        with pytest.raises(BadInput, match="is made for the backbone") as refused:
            make_vplm(mixed, "acme/x", **{"backbone": "twin", **start})
        assert refused.value.code == "adapter_mismatch"
    with pytest.raises(BadInput, match='made for the backbone "twin:1", "acme/own" has'):
        mixed.promote("acme/twin", PromoteRequest(to="own"))
    with pytest.raises(BadInput, match="means nothing on the other"):
        mixed.publish_adapter("acme/own", PublishRequest(adapter=twin.adapter))
    assert (mixed.vplm("acme/own").adapter, mixed.vplm("acme/own").version) == (own.adapter, 1)
    # Left out, it is that of what the new one starts from.
    for name, start in (("a", {"from_vplm": "acme/twin"}), ("b", {"from_starter": "start"})):
        assert make_vplm(mixed, f"acme/{name}", **start).backbone == "twin:1"
    copied = make_vplm(mixed, "acme/c", adapter=twin.adapter)
    assert copied.backbone_sha256 == twin.backbone_sha256
    assert same(probs(mixed, "acme/c"), probs(mixed, "acme/twin"), tolerance_of(mixed))


def test_adapters_of_every_backbone_travel_and_are_checked(mixed: Appliance) -> None:
    made = make_vplm(mixed, "acme/wide", backbone="wide")
    file = mixed.adapter_file(made.adapter).read_bytes()
    assert mixed.verify_adapter(made.adapter).ok
    folder = mixed.adapterhub_folder(made.adapter)
    answers = probs(mixed, "acme/wide")
    mixed.remove_vplm("acme/wide")
    for brought in (
        mixed.import_adapter(iter([file])),
        mixed.import_adapterhub(iter([folder]), ()),
    ):
        again = make_vplm(mixed, "acme/again", adapter=brought.id)
        assert again.backbone == "wide:1"
        assert same(probs(mixed, "acme/again"), answers, tolerance_of(mixed))
        mixed.remove_vplm("acme/again")
    mixed.remove_backbone("wide")
    with pytest.raises(BadInput, match="not here"):
        mixed.import_adapter(iter([file]))
    with pytest.raises(BadInput, match="which is not here"):
        mixed.import_adapterhub(iter([folder]), ())


def test_a_domain_that_comes_later_serves_every_backbone(mixed: Appliance) -> None:
    make_vplm(mixed, "acme/twin", backbone="twin")
    wanted = probs(mixed, "acme/twin")
    mixed.create_domain(DomainCreate(name="films", parent="general"))
    mixed.change_vplm("acme/twin", VplmPatch(domain="films"))
    assert same(probs(mixed, "acme/twin"), wanted, tolerance_of(mixed))
    mixed.remove_domain("films")
    assert mixed.vplm("acme/twin").domain == "general"
    assert same(probs(mixed, "acme/twin"), wanted, tolerance_of(mixed))


def test_the_own_of_yesterday_serves_beside_todays(
    settings: Settings, twin_checkpoint: Path
) -> None:
    assert settings.backbone is not None
    with opened(settings) as engine:
        make_tenant(engine)
        import_as(engine, twin_checkpoint, "twin")
        import_as(engine, settings.backbone, "first")
        make_vplm(engine, "acme/a", mode="exact")
        wanted = probs(engine, "acme/a")
    turned = replace(settings, backbone=Path("twin"), encoder=None, split=None)
    with opened(turned) as engine:
        assert engine.vplm("acme/a").backbone == "first:1"
        assert same(probs(engine, "acme/a"), wanted, tolerance_of(engine))
        assert engine.backbone("first").state == "loaded"
