from __future__ import annotations

from engine.schema import VplmCreate


def test_what_generates_is_a_generator_wherever_it_is_written_down() -> None:
    wanted = VplmCreate(tenant="acme", name="tale", task="generate")
    assert (wanted.kind, wanted.generates) == ("generator", True)
    assert VplmCreate.model_validate(wanted.model_dump()) == wanted
    assert VplmCreate(tenant="acme", name="mood", labels=["a", "b"]).kind == "classifier"
