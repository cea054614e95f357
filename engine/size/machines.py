"""The coefficients, all of them, and where each comes from.

`cpu` is measured: `hmi size --calibrate` measures the machine at hand and keeps what it finds; the
figures here are those of the machine this was written on (two shared cores, one thread). `l4` and
`h200` are computed from NVIDIA's data sheets times the stated efficiencies; nobody has measured
this engine on them for this file. Seconds, bytes and floating-point operations.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine.errors import Damaged

GB = 10**9
CALIBRATION = "size.json"
"""Beside config.toml."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one machine's CPU on the bundled backbone, split 4, rank 64, batches of 32 vPLMs."""

    source: str
    float_bytes: int
    """Of the layers' dtype: 2 where the CPU computes in bfloat16, else 4."""
    exact_token_s: float
    """Compute of a token in exact mode."""
    upper_token_s: float
    """Compute of a token whose row is there: bridge, upper layers, adapters, head."""
    lookup_token_s: float
    """Retrieve of a token whose row is there."""
    miss_token_s: float
    """What a token takes besides if its row must be computed."""
    adapter_load_s: float
    """An adapter of rank 64 from disk into a slot."""
    adapter_copy_s: float
    """The same from host memory."""
    api_request_s: float
    """A request in the engine outside the stages: HTTP, checks, tokenisation, answer."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Data sheet figures of one device, dense bf16, one direction of its link."""

    source: str
    flops: float
    memory_bytes: int
    memory_bytes_per_s: float
    link_bytes_per_s: float
    flops_share: float = 0.35
    """Of the peak that small layers in batches of tens of texts reach: an assumption."""
    memory_share: float = 0.6
    link_share: float = 0.7
    launch_s: float = 6e-6
    """Of one kernel, as CUDA's own samples show; small batches are bound by it."""
    kernels_per_layer: int = 40


CPU = Measured(
    source="hmi size --calibrate, AMD EPYC, 2 cores, 1 thread, bfloat16, torch 2.13.0, 2026-11-27; "
    "adapter files in the page cache",
    float_bytes=2,
    exact_token_s=168e-6,
    upper_token_s=85e-6,
    lookup_token_s=5.9e-6,
    miss_token_s=10.6e-6,
    adapter_load_s=467e-6,
    adapter_copy_s=585e-6,
    api_request_s=1.95e-3,
)
ACCELERATORS = {
    "l4": Accelerator(
        source="NVIDIA L4 data sheet: 121 TFLOPS bf16 dense, 24 GB, 300 GB/s, PCIe Gen4 x16",
        flops=121e12,
        memory_bytes=24 * GB,
        memory_bytes_per_s=300e9,
        link_bytes_per_s=32e9,
    ),
    "h200": Accelerator(
        source="NVIDIA H200 data sheet: 989 TFLOPS bf16 dense, 141 GB, 4.8 TB/s, PCIe Gen5 x16",
        flops=989e12,
        memory_bytes=141 * GB,
        memory_bytes_per_s=4.8e12,
        link_bytes_per_s=64e9,
    ),
}


def read_measured(config: Path) -> Measured:
    """What --calibrate kept beside the file `config`, else the shipped figures. Damaged if it
    cannot be read."""
    path = config.with_name(CALIBRATION)
    if not path.exists():
        return CPU
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found = Measured(**{each.name: kept[each.name] for each in fields(Measured)})
        numbers = [value for name, value in asdict(found).items() if name != "source"]
        if all(isinstance(value, int | float) and value >= 0 for value in numbers):
            return found
        why = "a figure is no positive number"
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    raise Damaged(
        f"The coefficients in {path} cannot be used: {why}.",
        remedy="Measure them again (hmi size --calibrate), or remove the file.",
    )


def keep_measured(measured: Measured, config: Path) -> Path:
    """Write them beside the file `config`; where they are."""
    path = config.with_name(CALIBRATION)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")
    part.replace(path)
    return path
