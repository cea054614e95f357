"""What belongs to the decoder: generators have a stack of their own beside the classifiers'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.appliance.stack import Shelves, Stack
from engine.config import Settings, assets_dir
from engine.errors import Unavailable
from engine.model.backbone import pick_dtype
from engine.model.checkpoint import WEIGHTS
from engine.model.decoder import Decoder, load_decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.generator import Generator
from engine.serving.generation.order import Way
from engine.serving.generation.rounds import RoundRecord
from engine.serving.work import Mode


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorStack:
    """A decoder's stack, and the thread that generates with it."""

    decoder: Decoder
    stack: Stack
    """The decoder's own: tree, tables, traffic, adapters."""
    generator: Generator
    in_spite: bool
    """Whether a text is generated in exact mode where the domain's table is damaged."""

    def way(self, mode: Mode, domain: str) -> Way:
        """How a text of a vPLM of `domain` in `mode` is generated, and why not otherwise.

        NotFound; Unavailable if the domain's table is damaged. Without an encoder nobody could
        use it, so everything is in exact mode then.
        """
        if mode == "exact":
            return Way(None)
        knowledge = self.stack.tree.take(domain)
        damage = knowledge.damage
        if damage is None:
            return Way(knowledge)
        if self.in_spite or damage.code == "no_encoder":
            return Way(None, damage.detail)
        raise Unavailable(damage.detail, remedy=damage.remedy, code=damage.code)

    def close(self) -> None:
        self.generator.stop()
        self.stack.close()


def load_generators(
    settings: Settings,
    shelves: Shelves,
    device: torch.device,
    weight: Callable[[str], float],
    on_round: Callable[[RoundRecord], None],
    phase: Callable[[str], None],
) -> GeneratorStack | None:
    """The stack of --generator's decoder or ours, started; None if there is neither. HmiError."""
    folder = settings.generator or bundled_generator()
    if folder is None:
        return None
    phase("loading the generators' backbone")
    decoder = load_decoder(
        folder, device=device, dtype=pick_dtype(device), split=settings.generator_split
    )
    stack = Stack.around(decoder, folder, None, settings, shelves, phase)
    generator = Generator(
        decoder,
        KvPool(settings.kv_cache, decoder.shape, device),
        stack.tiers,
        weight=weight,
        miss="backoff" if settings.miss == "backoff" else "compute",
        on_round=on_round,
        limit_tokens=settings.queue_tokens,
    )
    generator.start()
    return GeneratorStack(decoder, stack, generator, settings.damaged == "exact")


def bundled_generator() -> Path | None:
    """The decoder that comes with the installation, if one does."""
    folder = assets_dir() / "generator"
    return folder if (folder / WEIGHTS).is_file() else None


def no_generators() -> Unavailable:
    return Unavailable(
        "This engine has no generators' backbone.",
        remedy="Start it with hmi serve --generator DIR, a checkpoint of the GPT-2 family.",
        code="no_generator",
    )
