"""What domains know for generators: tables, traffic, epochs and encoders of their own, beside the
classifiers'."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.appliance.core import Core
from engine.config import Settings
from engine.errors import Unavailable
from engine.knowledge import encoder_file
from engine.knowledge.encoder_file import bundled_file, save_hplm
from engine.knowledge.hplm import Hplm
from engine.model.decoder import Decoder
from engine.schema import (
    Completion,
    CompletionRequest,
    DomainCreate,
    DomainUpdate,
    RebuildRequest,
    VplmCreate,
)
from tests.engine.appliance.small import (
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
)
from tests.engine.appliance.test_generators import complete
from tests.engine.appliance.trained import corpus

CORPUS = b"the film was very good\nmy order is late\nmoney back please\n" * 4
FOR_GENERATORS = RebuildRequest(kind="generator", alpha=1.0)


@pytest.fixture
def choice(
    settings: Settings,
    decoder: Decoder,
    decoder_hplm: Hplm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """An installation that has a general encoder for the small decoder."""
    monkeypatch.setattr(encoder_file, "assets_dir", lambda: tmp_path)
    save_hplm(decoder_hplm, bundled_file(decoder.split, causal=True), {})
    return replace(
        settings,
        generator=decoder.checkpoint.folder,
        generator_split=decoder.split,
        kv_cache=1 << 20,
    )


def furnish(engine: Appliance) -> None:
    """A generator and a classifier in the domain reviews, which has a text and no table."""
    make_tenant(engine)
    engine.create_domain(DomainCreate(name="reviews"))
    engine.put_corpus("reviews", iter([CORPUS]))
    make_tale(engine)
    make_vplm(engine, "acme/a", domain="reviews")


def make_tale(engine: Appliance, name: str = "tale", domain: str = "reviews") -> None:
    wanted = VplmCreate(tenant="acme", name=name, kind="generator", rank=4, domain=domain)
    engine.create_vplm(wanted)


@pytest.fixture
def both(choice: Settings) -> Iterator[Appliance]:
    with opened(choice) as engine:
        furnish(engine)
        yield engine


def rebuild(engine: Appliance, request: RebuildRequest = FOR_GENERATORS) -> dict[str, Any]:
    job = ended(engine, engine.rebuild_domain("reviews", request).id)
    assert job.state == "succeeded", job.error
    return job.result


def said(engine: Appliance, **asked: Any) -> Completion:
    return complete(engine, temperature=0, ignore_eos=True, **asked)


def hit_rate(answer: Completion) -> float:
    assert answer.timing is not None
    assert (answer.timing.mode, answer.timing.fallback) == ("plot", None)
    assert answer.timing.hit_rate is not None
    return answer.timing.hit_rate


def test_a_generator_answers_from_its_domains_table_and_says_the_same(both: Appliance) -> None:
    computed = said(both, logprobs=0)
    assert hit_rate(computed) == 0
    rebuild(both)
    found = said(both, logprobs=0)
    # The prompt is in the text that the table was made of.
    assert hit_rate(found) > 0.3
    # A hit is what would have been computed, bit for bit.
    assert found.choices == computed.choices


def test_it_hits_in_the_prompt_and_in_every_step(both: Appliance) -> None:
    """Of a text that the table holds whole, everything is a hit."""
    text = said(both, echo=True, max_tokens=8).choices[0].text
    both.put_corpus("reviews", iter([text.encode()]))
    rebuild(both)
    [whole] = said(both, explain=True, max_tokens=8).choices
    assert whole.origins is not None
    [ids] = core_decoder(both).tokenize(["the film was"])
    assert len(whole.origins) == len(ids) + 8 - 1
    assert {(one.source, one.node) for one in whole.origins} == {("table", "reviews")}


def core_decoder(engine: Appliance) -> Decoder:
    generators = core_of(engine).generators
    assert generators is not None
    return generators.decoder


def test_each_kind_has_epochs_tables_and_counts_of_its_own(both: Appliance) -> None:
    rebuild(both, RebuildRequest(kind="classifier"))
    assert both.domain("reviews", "generator").epoch == 0
    rebuild(both)
    rebuild(both)
    theirs, ours = both.domain("reviews", "generator"), both.domain("reviews")
    assert (theirs.kind, theirs.epoch, theirs.state) == ("generator", 3, "ready")
    assert (ours.kind, ours.epoch, ours.state) == ("classifier", 1, "ready")
    assert core_of(both).tables.epochs("reviews") == [1, 3]
    said(both)
    assert both.domain("reviews", "generator").hits > 0
    assert both.domain("reviews").hits == 0
    classify(both, "acme/a", "the film was very good")
    assert both.domain("reviews").hits > 0
    assert [one.epoch for one in both.epochs("reviews", "generator").data] == [3, 2]
    assert [one.epoch for one in both.epochs("reviews").data] == [1]
    # A decoder's n-gram is read from left to right, its token last.
    assert "|" in both.ngrams("reviews", "|", 5, "generator").data[0].text


def test_a_rebuild_that_is_not_told_for_whom_is_for_whom_the_domain_is_used(
    both: Appliance,
) -> None:
    assert both.rebuild_cost("reviews", RebuildRequest()).kind == "classifier"
    both.remove_vplm("acme/a")
    cost = both.rebuild_cost("reviews", RebuildRequest(train_minutes=1))
    assert (cost.kind, cost.epoch) == ("generator", 1)
    assert cost.warnings == ["Its 1 vPLMs should be trained again afterwards."]
    accepted = both.rebuild_domain("reviews", RebuildRequest())
    assert accepted.kind == "generator"
    assert ended(both, accepted.id).state == "succeeded"
    assert both.domain("reviews", "generator").epoch == 1


def test_what_was_asked_and_published_is_there_after_a_restart(choice: Settings) -> None:
    with opened(choice) as engine:
        furnish(engine)
        rebuild(engine)
        before = said(engine, logprobs=0)
        rate = hit_rate(before)
        asked = engine.domain("reviews", "generator").recent_lookups
        assert asked > 0
    with opened(choice) as again:
        found = again.domain("reviews", "generator")
        assert (found.epoch, found.recent_lookups) == (1, asked)
        assert again.epochs("reviews", "generator").data[0].lookups == asked
        after = said(again, logprobs=0)
        assert after.choices == before.choices
        assert hit_rate(after) == rate


def test_a_domain_learns_from_what_its_generators_were_asked(both: Appliance) -> None:
    rebuild(both, RebuildRequest(kind="generator", alpha=0.1, traffic_weight=0.9))
    for _ in range(4):
        before = said(both, prompt="please refund my bank card", max_tokens=12)
    both.change_domain("reviews", DomainUpdate(update="miss_rate", miss_rate=0.1, min_lookups=5))
    watch = both._updates
    assert watch is not None
    assert watch.look() == ["reviews"]
    [job] = both.jobs("running", 9, None).data + both.jobs("queued", 9, None).data
    assert job.params["kind"] == "generator"
    assert ended(both, job.id).state == "succeeded"
    after = said(both, prompt="please refund my bank card", max_tokens=12)
    assert hit_rate(after) > hit_rate(before)


def test_a_removed_domains_generators_go_on_in_its_parent(both: Appliance) -> None:
    rebuild(both)
    both.remove_domain("reviews")
    assert both.vplm("acme/tale").domain == "general"
    assert hit_rate(said(both)) == 0
    assert core_of(both).tables.epochs("reviews") == []
    assert core_of(both).catalogue.domains.known() == []


@pytest.mark.parametrize("damaged", ["refuse", "exact"])
def test_a_damaged_table_is_refused_or_got_round_as_the_operator_chose(
    choice: Settings, damaged: str
) -> None:
    with opened(replace(choice, damaged=damaged)) as engine:
        furnish(engine)
        rebuild(engine)
        tree = stack_of(core_of(engine)).tree
        tree.condemn("reviews", 1, "it is not what it was.")
        problems = [problem.what for problem in engine.status().problems]
        assert any("it is not what it was" in problem for problem in problems)
        if damaged == "refuse":
            with pytest.raises(Unavailable, match="it is not what it was"):
                said(engine)
        else:
            answer = said(engine)
            assert answer.timing is not None
            assert answer.timing.mode == "exact"
            assert "it is not what it was" in str(answer.timing.fallback)
        make_tale(engine, "other", "general")
        assert hit_rate(said(engine, model="acme/other")) == 0


def stack_of(core: Core) -> Any:
    return core.stack_for("generator")


def test_in_exact_mode_no_row_is_told_of_and_nobody_is_told_who_did_not_ask(
    both: Appliance,
) -> None:
    rebuild(both)
    assert said(both).choices[0].origins is None
    assert "origins" not in said(both).model_dump()["choices"][0]
    assert said(both, mode="exact", explain=True).choices[0].origins == []


def test_a_stream_tells_of_each_token_with_the_one_that_follows_it(both: Appliance) -> None:
    async def streamed() -> list[list[str]]:
        request = CompletionRequest(
            model="acme/tale",
            prompt="the film was",
            max_tokens=4,
            temperature=0,
            ignore_eos=True,
            stream=True,
            explain=True,
        )
        return [
            [one.text for one in choice.origins or ()]
            async for chunk in both.complete_stream(request)
            for choice in chunk.choices
        ]

    first, *more = asyncio.run(streamed())
    assert "".join(first) == "the film was"
    assert [len(one) for one in more] == [1, 1, 1]
    generated = said(both, max_tokens=4, logprobs=0).choices[0].logprobs
    assert generated is not None
    assert [one for (one,) in more] == generated.tokens[:3]


TRAINING = RebuildRequest(kind="generator", train_minutes=0.02)


def test_a_decoder_without_an_encoder_gets_one_by_training_the_root(
    choice: Settings, decoder: Decoder
) -> None:
    bundled_file(decoder.split, causal=True).unlink()
    with opened(choice) as engine:
        furnish(engine)
        answer = said(engine)
        assert answer.timing is not None
        assert (answer.timing.mode, answer.timing.hit_rate) == ("exact", None)
        assert engine.status().problems == []
        engine.put_corpus("general", iter([corpus(400)]))
        job = ended(engine, engine.rebuild_domain("general", TRAINING).id)
        assert job.state == "succeeded", job.error
        assert job.result["perplexity"] > 0
        assert job.result["exact_perplexity"] > 0
        assert hit_rate(said(engine)) > 0
        general = engine.domain("general", "generator")
        assert (general.encoder, general.state, general.epoch) == ("own", "ready", 1)
        assert engine.domain("general").encoder == "inherited"
        found = engine.status().generators
        assert found is not None
        assert found.fallback is None
        assert engine.encoder_file("general", "generator").is_file()
        text = said(engine).choices[0].text
    with opened(choice) as again:
        assert said(again).choices[0].text == text


def test_a_domain_trains_a_causal_encoder_of_its_own_and_classifiers_notice_nothing(
    both: Appliance,
) -> None:
    make_domain(both, "films")
    before = classify(both, "acme/a", "a good film").data
    both.put_corpus("reviews", iter([corpus(400)]))
    rebuild(both, TRAINING)
    assert both.domain("reviews", "generator").encoder == "own"
    assert both.domain("reviews").encoder == "inherited"
    assert both.domain("films", "generator").encoder == "inherited"
    core = core_of(both)
    tree = stack_of(core).tree
    assert tree.take("reviews").encoder is not tree.general.encoder
    assert tree.take("reviews").encoder.shape.causal
    assert core.tree.take("reviews").encoder is core.tree.general.encoder
    assert classify(both, "acme/a", "a good film").data == before
    assert hit_rate(said(both)) > 0
