from __future__ import annotations

import asyncio
from collections import Counter

from engine.appliance import Appliance
from engine.schema import ClassifyRequest, ClassifyResponse, DomainCreate, Miss, RebuildRequest
from tests.engine.appliance.small import TEXTS, ended, make_domain, make_vplm


def explained(appliance: Appliance, mode: str = "plot") -> ClassifyResponse:
    asked = {"model": "acme/a", "input": list(TEXTS), "mode": mode, "explain": True}
    return asyncio.run(appliance.classify(ClassifyRequest.model_validate(asked)))


def furnish(appliance: Appliance, miss: Miss) -> None:
    """reviews over films, each with a table of its own words, and a vPLM in films."""
    make_domain(appliance, "reviews")
    appliance.create_domain(DomainCreate(name="films", parent="reviews"))
    appliance.put_corpus("films", iter([b"it was very very good\n"]))
    job = appliance.rebuild_domain("films", RebuildRequest(alpha=1.0))
    assert ended(appliance, job.id).state == "succeeded"
    make_vplm(appliance, domain="films", miss=miss)


def test_each_token_says_which_nodes_table_had_its_row(appliance: Appliance) -> None:
    furnish(appliance, "compute")
    answer = explained(appliance)
    assert answer.tokens is not None
    tokens = [token for text in answer.tokens for token in text]
    assert len(tokens) == answer.usage.prompt_tokens
    assert {token.node for token in tokens} == {"reviews", "films", None}
    assert all((token.node is None) == (token.source != "table") for token in tokens)
    counts = Counter(token.source for token in tokens)
    assert answer.timing.hit_rate == counts["table"] / len(tokens)
    assert answer.timing.computed_rate == counts["computed"] / len(tokens)
    assert [token.text for token in answer.tokens[0]][1:-1] == ["a", "good", "film"]
    again = Counter(t.source for text in explained(appliance).tokens or () for t in text)
    assert again["cached"] == counts["computed"]


def test_a_token_that_backed_off_says_so(appliance: Appliance) -> None:
    furnish(appliance, "backoff")
    answer = explained(appliance)
    shares = Counter(token.source for text in answer.tokens or () for token in text)
    assert shares["backed_off"] > 0
    assert answer.timing.backed_off_rate == shares["backed_off"] / answer.usage.prompt_tokens
    shorter = [t for text in answer.tokens or () for t in text if t.source == "backed_off"]
    assert any(token.node is not None for token in shorter)


def test_exact_mode_has_nothing_to_explain_and_nobody_else_is_told(appliance: Appliance) -> None:
    furnish(appliance, "compute")
    assert explained(appliance, "exact").tokens == [[] for _ in TEXTS]
    request = ClassifyRequest(model="acme/a", input="dull")
    assert asyncio.run(appliance.classify(request)).tokens is None


def test_a_name_is_found_by_its_characters_in_order(appliance: Appliance) -> None:
    for name in ("acme/polarity", "acme/spam_a", "acme/spam-b"):
        make_vplm(appliance, name)

    def found(q: str, *, fuzzy: bool = True) -> list[str]:
        page = appliance.vplms(q, None, None, 10, None, fuzzy=fuzzy)
        assert page.total == len(page.data)
        return [vplm.id for vplm in page.data]

    assert found("acpol") == ["acme/polarity"]
    assert found("acpol", fuzzy=False) == []
    assert found("spam") == ["acme/spam-b", "acme/spam_a"]
    assert found("sp_") == ["acme/spam_a"]
    assert found("s%m") == []
    assert found("APOL") == ["acme/polarity"]
