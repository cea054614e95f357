"""Seconds that a text takes where: in floating-point operations, scaled from what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from engine.size.machines import Accelerator, Measured
from engine.size.shapes import ARENA_RANK, BUNDLED, PLACES, Shape

BATCH = 32
"""Texts of a batch, each of another vPLM: the case that the figures are measured for."""
_MEASURED_TOKENS = 24
_BF16 = 2


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds a text: `compute` on the device, `retrieve` on the host's cores (0 on a CPU, where
    the same core does both and it is all in `compute`)."""

    compute: float
    retrieve: float


def text_work(
    shape: Shape,
    rank: int,
    tokens: float,
    hits: float,
    machine: Measured | Accelerator,
    host: Measured,
) -> Work:
    """Of a text of `tokens`, of which the share `hits` needs no row computed.

    `host` are the measured figures of the CPU that feeds an accelerator.
    """
    if isinstance(machine, Measured):
        return Work(_on_cpu(shape, rank, tokens, hits, machine), 0.0)
    return Work(_on_device(shape, rank, tokens, hits, machine), tokens * host.lookup_token_s)


def upper_flops(shape: Shape, rank: int, tokens: float) -> float:
    """Of one token in a text of `tokens`: bridge, upper layers and their adapters."""
    h, i = shape.hidden, shape.intermediate
    attention = 4 * tokens * h
    layer = 2 * (4 * h * h + 2 * h * i) + attention
    bridge = 2 * (4 * h * h + h * i) + attention
    return bridge + shape.upper * (layer + PLACES * 4 * h * rank)


def miss_flops(shape: Shape) -> float:
    """Of one row: output projection and halved feed-forward; the rest is remembered by token."""
    h, i = shape.hidden, shape.intermediate
    return float(2 * h * h + 2 * h * i)


def _on_cpu(shape: Shape, rank: int, tokens: float, hits: float, machine: Measured) -> float:
    upper = upper_flops(shape, rank, tokens) / upper_flops(BUNDLED, ARENA_RANK, _MEASURED_TOKENS)
    miss = miss_flops(shape) / miss_flops(BUNDLED)
    lookup = machine.lookup_token_s * shape.row_bytes / BUNDLED.row_bytes
    token = machine.upper_token_s * upper + lookup + (1 - hits) * machine.miss_token_s * miss
    return tokens * token


def _on_device(shape: Shape, rank: int, tokens: float, hits: float, machine: Accelerator) -> float:
    """A batch's arithmetic, or its reading if that takes longer, and the launches of its kernels:
    gathering slots reads them, writes them and reads them again."""
    flops = upper_flops(shape, rank, tokens) + (1 - hits) * miss_flops(shape)
    arithmetic = BATCH * tokens * flops / (machine.flops * machine.flops_share)
    weights = shape.parameters * shape.upper / shape.layers * _BF16
    read = weights + 3 * BATCH * shape.slot_bytes(rank, _BF16)
    reading = read / (machine.memory_bytes_per_s * machine.memory_share)
    launches = (shape.upper + 2) * machine.kernels_per_layer * machine.launch_s
    return (max(arithmetic, reading) + launches) / BATCH
