"""What belongs to the decoder: generators have a stack of their own beside the classifiers'."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.appliance.source import BlobSource
from engine.appliance.stack import ARENA_RANK, Shelves
from engine.config import Settings, assets_dir
from engine.errors import Unavailable
from engine.knowledge.encoder_file import general_hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.row_cache import RowCache
from engine.knowledge.view import TableView
from engine.memory.arena import AdapterArena
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape
from engine.model.backbone import pick_dtype
from engine.model.checkpoint import WEIGHTS, open_checkpoint
from engine.model.decoder import Decoder, load_decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.generator import Generator
from engine.serving.generation.order import Way
from engine.serving.generation.rounds import RoundRecord
from engine.serving.work import Mode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorStack:
    """A loaded decoder, what is known of its lower layers, its adapters' tiers, and the thread
    that generates with them."""

    decoder: Decoder
    knowledge: Knowledge
    """The general encoder's rows, computed or kept lately. Damaged: there is no such encoder, and
    every answer is in exact mode."""
    adapter_shape: AdapterShape
    tiers: AdapterTiers
    generator: Generator

    def way(self, mode: Mode) -> Way:
        """How a text of a vPLM in `mode` is generated, and why not otherwise."""
        if mode == "exact":
            return Way(None)
        damage = self.knowledge.damage
        return Way(self.knowledge) if damage is None else Way(None, damage.detail)

    def close(self) -> None:
        self.generator.stop()
        self.tiers.close()


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
        folder, device=device, dtype=pick_dtype(device), split=_split(folder, settings)
    )
    hplm, damage = general_hplm(None, decoder)
    if damage is not None:
        log.warning("generators answer in exact mode: %s", damage.detail)
    here, hidden = hplm.to(device), decoder.shape.hidden
    cache = RowCache(settings.table_cache, hidden).share(1)
    view = TableView("general", (), hidden)
    knowledge = Knowledge("general", 0, view, here.encoder, here.bridge, damage, cache)
    upper = decoder.shape.layers - decoder.split
    shape = AdapterShape(upper, decoder.shape.hidden, ARENA_RANK)
    arena = AdapterArena(shape, settings.device_cache, device, decoder.dtype)
    tiers = AdapterTiers(BlobSource(shelves.blobs, decoder), arena, settings.host_cache)
    generator = Generator(
        decoder,
        KvPool(settings.kv_cache, decoder.shape, device),
        tiers,
        weight=weight,
        miss="backoff" if settings.miss == "backoff" else "compute",
        on_round=on_round,
        limit_tokens=settings.queue_tokens,
    )
    generator.start()
    return GeneratorStack(decoder, knowledge, shape, tiers, generator)


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


def _split(folder: Path, settings: Settings) -> int:
    if settings.generator_split is not None:
        return settings.generator_split
    # Two thirds of the layers come from rows, as of the bundled encoder.
    layers = int(open_checkpoint(folder, "gpt2").config["n_layer"])
    return max(1, layers * 2 // 3)
