"""The generator's own thread: asked from many, ended in the middle."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from engine.errors import Unavailable
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.generator import Generator
from engine.serving.generation.order import Order
from tests.engine.serving.generation.singing import Choir, Ear, alone, order_of, tiers_of

PATIENCE_S = 60.0


class Waiting(Ear):
    """Can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.done = threading.Event(), threading.Event()

    def said(self, order: Order, said: object) -> None:
        super().said(order, said)  # type: ignore[arg-type]
        self.heard.set()
        if self.over:
            self.done.set()

    def failed(self, order: Order, error: Exception) -> None:
        super().failed(order, error)
        self.done.set()


@pytest.fixture
def generator(decoder: Decoder) -> Iterator[Generator]:
    pool = KvPool(1 << 20, decoder.shape)
    made = Generator(decoder, pool, tiers_of(decoder, 2))
    made.start()
    yield made
    made.stop()


def asked(decoder: Decoder, prompt: list[int], most: int, adapter: str) -> tuple[Order, Waiting]:
    order, _ = order_of(decoder, prompt, most, adapter=adapter)
    ear = Waiting()
    return Order(
        order.tenant, order.prompt, order.settings, order.ending, ear, order.way, adapter
    ), ear


def test_many_ask_at_once_and_some_go_and_the_others_hear_what_they_would_alone(
    decoder: Decoder, generator: Generator
) -> None:
    wanted = {
        name: alone(Choir(decoder), *order_of(decoder, [5, 6, 7], 12, adapter=name)).text
        for name in "abc"
    }
    wrong: list[str] = []

    def ask(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(6):
            name = dice.choice("abc")
            order, ear = asked(decoder, [5, 6, 7], 12, name)
            generator.offer([order])
            if dice.random() < 0.3:
                if dice.random() < 0.5:
                    ear.heard.wait(PATIENCE_S)
                generator.give_up([order])
                continue
            if not ear.done.wait(PATIENCE_S) or ear.text != wanted[name]:
                wrong.append(f"{name}: {ear.text!r} {ear.error!r}")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not wrong
    last, ear = asked(decoder, [1], 1, "a")
    generator.offer([last])
    assert ear.done.wait(PATIENCE_S)
    use = generator.use()
    assert (use.waiting, use.waiting_tokens, use.living, use.cache_used) == (0, 0, 0, 0)
    assert use.tokens_per_s > 0


def test_stopping_tells_whoever_waits_or_lives_and_takes_nobody_any_more(
    decoder: Decoder,
) -> None:
    page = KvPool(1 << 20, decoder.shape).page_bytes
    generator = Generator(decoder, KvPool(12 * page, decoder.shape), tiers_of(decoder, 2))
    living, told = asked(decoder, [1, 2], 40, "a")
    waiting, waits = asked(decoder, [1, 2], 40, "b")
    generator.offer([living])
    generator.offer([waiting])
    generator.start()
    assert told.heard.wait(PATIENCE_S)
    generator.stop()
    for ear in (told, waits):
        assert ear.done.wait(PATIENCE_S)
    assert isinstance(waits.error, Unavailable)
    assert told.finish == "length" or isinstance(told.error, Unavailable)
    with pytest.raises(Unavailable):
        generator.offer([asked(decoder, [1], 1, "a")[0]])
