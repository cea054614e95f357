"""One look at an NVIDIA device through NVML, which answers "not available" as it likes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_MPS_SERVER = "nvidia-cuda-mps-server"
_KIB = 1024
_REASONS = (
    (0x004, "power limit"),
    (0x008, "hardware slowdown"),
    (0x010, "sync boost with another device"),
    (0x020, "heat (driver)"),
    (0x040, "heat (hardware)"),
    (0x080, "external power brake"),
    (0x002, "clocks set by an application"),
    (0x100, "clocks set for a display"),
)
"""NVML's bits for why clocks are held down; idling (0x001) is no reason to tell anybody."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another process on the device. `bytes` is None where the driver does not say."""

    pid: int
    name: str
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What NVML said at `at` (monotonic seconds). None where it said "not available".

    Clocks in MHz, PCIe in bytes a second: `received` by the device, `sent` from it.
    """

    at: float
    name: str
    total_bytes: int | None
    used_bytes: int | None
    engine_bytes: int | None
    utilisation: float | None
    power_w: float | None
    power_limit_w: float | None
    temperature_c: float | None
    sm_mhz: int | None
    sm_max_mhz: int | None
    memory_mhz: int | None
    memory_max_mhz: int | None
    slowed_by: tuple[str, ...] | None
    received_per_s: int | None
    sent_per_s: int | None
    mig: bool | None
    mps: bool | None
    neighbours: tuple[Neighbour, ...] | None


def maybe(nvml: Any, call: Callable[[], T]) -> T | None:
    """None where NVML fails, or names what cannot be read."""
    try:
        return call()
    except (nvml.NVMLError, ValueError):
        return None


def read(nvml: Any, handle: Any) -> Reading:
    """Everything at once, some 50 ms with PCIe's counters. Raises NVMLError if it is lost."""

    def ask(function: str, *arguments: Any) -> Any:
        return maybe(nvml, lambda: getattr(nvml, function)(handle, *arguments))

    name = nvml.nvmlDeviceGetName(handle)
    memory = ask("nvmlDeviceGetMemoryInfo")
    rates = ask("nvmlDeviceGetUtilizationRates")
    temperature = ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU)
    computing = ask("nvmlDeviceGetComputeRunningProcesses")
    clients = ask("nvmlDeviceGetMPSComputeRunningProcesses")
    mig = ask("nvmlDeviceGetMigMode")
    neighbours = None if computing is None else _neighbours(nvml, computing, clients or ())
    return Reading(
        at=time.monotonic(),
        name=_text(name),
        total_bytes=None if memory is None else int(memory.total),
        used_bytes=None if memory is None else int(memory.used),
        engine_bytes=_own_bytes((*(computing or ()), *(clients or ()))),
        utilisation=None if rates is None else rates.gpu / 100,
        power_w=_thousandths(ask("nvmlDeviceGetPowerUsage")),
        power_limit_w=_thousandths(ask("nvmlDeviceGetEnforcedPowerLimit")),
        temperature_c=None if temperature is None else float(temperature),
        sm_mhz=ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
        sm_max_mhz=ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
        memory_mhz=ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
        memory_max_mhz=ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_MEM),
        slowed_by=_reasons(ask("nvmlDeviceGetCurrentClocksEventReasons")),
        received_per_s=_kib(ask("nvmlDeviceGetPcieThroughput", nvml.NVML_PCIE_UTIL_RX_BYTES)),
        sent_per_s=_kib(ask("nvmlDeviceGetPcieThroughput", nvml.NVML_PCIE_UTIL_TX_BYTES)),
        mig=None if mig is None else mig[0] == nvml.NVML_DEVICE_MIG_ENABLE,
        mps=_mps(clients, neighbours),
        neighbours=neighbours,
    )


def _neighbours(nvml: Any, computing: Any, clients: Any) -> tuple[Neighbour, ...]:
    """All but this process, the largest first; one that is both kinds counts once."""
    found: dict[int, Neighbour] = {}
    for process in (*computing, *clients):
        pid, used = int(process.pid), process.usedGpuMemory
        if pid != os.getpid():
            name = maybe(nvml, partial(nvml.nvmlSystemGetProcessName, pid))
            short = "" if name is None else _text(name).split("\0")[0].rpartition("/")[2]
            found[pid] = Neighbour(pid, short, None if used is None else int(used))
    return tuple(sorted(found.values(), key=lambda one: -(one.bytes or 0)))


def _mps(clients: Any, neighbours: tuple[Neighbour, ...] | None) -> bool | None:
    """Whether processes share the device through MPS: it has clients, or its server is there."""
    if clients:
        return True
    if neighbours is None and clients is None:
        return None
    return any(one.name == _MPS_SERVER for one in neighbours or ())


def _own_bytes(processes: Any) -> int | None:
    for process in processes:
        if process.pid == os.getpid() and process.usedGpuMemory is not None:
            return int(process.usedGpuMemory)
    return None


def _reasons(bits: int | None) -> tuple[str, ...] | None:
    return None if bits is None else tuple(words for bit, words in _REASONS if bits & bit)


def _thousandths(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _kib(value: int | None) -> int | None:
    return None if value is None else int(value) * _KIB


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
