from __future__ import annotations

from engine.schema import TrainRequest


def test_a_rate_that_is_left_out_is_the_optimizers_and_the_tasks() -> None:
    request = TrainRequest(vplm="acme/a", dataset="d")
    assert request.rate("classify") == 2e-3
    assert request.rate("generate") == 5e-3
    assert request.model_copy(update={"optimizer": "sgd"}).rate("generate") == 0.1
    assert request.model_copy(update={"lr": 0.2}).rate("generate") == 0.2
