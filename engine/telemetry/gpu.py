"""The NVIDIA device's own readings, taken in a thread that may hang without harm."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.schema import DeviceStatus

STALE_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """What NVML said at `at` (monotonic seconds). None where it said "not available"."""

    at: float
    name: str
    total_bytes: int | None
    used_bytes: int | None
    engine_bytes: int | None
    utilisation: float | None
    power_w: float | None
    temperature_c: float | None


class GpuSampler:
    """Reads one device every `interval` seconds. Having none is a normal state.

    `device` is a number in NVML's order or a UUID ("GPU-..."), which CUDA_VISIBLE_DEVICES does
    not change. `nvml` is the pynvml module, or one like it.
    """

    def __init__(self, device: int | str = 0, interval: float = 1.0, nvml: Any = None) -> None:
        self._device = device
        self._interval = interval
        self._nvml = nvml
        self._latest: Reading | None = None
        self._looked = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hmi-gpu", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """Ask the thread to end; a hanging NVML call is left behind (it is a daemon)."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wait(self, timeout: float) -> bool:
        """Whether the first look (which may have found nothing) was over within `timeout` s."""
        return self._looked.wait(timeout)

    def sample(self) -> DeviceStatus | None:
        """The latest reading, with its age; None when there is no device."""
        reading = self._latest
        if reading is None:
            return None
        age = time.monotonic() - reading.at
        return DeviceStatus(
            kind="cuda",
            name=reading.name,
            note=f"The readings are {age:.0f} s old." if age > STALE_S else "",
            total_bytes=reading.total_bytes,
            used_bytes=reading.used_bytes,
            engine_bytes=reading.engine_bytes,
            utilisation=reading.utilisation,
            power_w=reading.power_w,
            temperature_c=reading.temperature_c,
            age_s=age,
        )

    def _run(self) -> None:
        try:
            nvml = self._nvml or _load_nvml()
            nvml.nvmlInit()
            handle = self._handle(nvml)
        except Exception:  # noqa: BLE001  NVML fails in many ways, and all mean: no device
            self._looked.set()
            return
        while not self._ending.is_set():
            # A device that is lost keeps its last reading, which grows old.
            reading = _maybe(nvml, lambda: _read(nvml, handle))
            self._latest = reading or self._latest
            self._looked.set()
            self._ending.wait(self._interval)
        _maybe(nvml, nvml.nvmlShutdown)

    def _handle(self, nvml: Any) -> Any:
        if isinstance(self._device, str):
            return nvml.nvmlDeviceGetHandleByUUID(self._device)
        return nvml.nvmlDeviceGetHandleByIndex(self._device)


def _load_nvml() -> Any:
    import pynvml

    return pynvml


def _maybe(nvml: Any, call: Callable[[], T]) -> T | None:
    try:
        return call()
    except nvml.NVMLError:
        return None


def _read(nvml: Any, handle: Any) -> Reading:
    name = nvml.nvmlDeviceGetName(handle)
    memory = _maybe(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    rates = _maybe(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    power = _maybe(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    sensor = nvml.NVML_TEMPERATURE_GPU
    temperature = _maybe(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, sensor))
    return Reading(
        at=time.monotonic(),
        name=name.decode() if isinstance(name, bytes) else str(name),
        total_bytes=None if memory is None else int(memory.total),
        used_bytes=None if memory is None else int(memory.used),
        engine_bytes=_own_bytes(nvml, handle),
        utilisation=None if rates is None else rates.gpu / 100,
        power_w=None if power is None else power / 1000,
        temperature_c=None if temperature is None else float(temperature),
    )


def _own_bytes(nvml: Any, handle: Any) -> int | None:
    processes = _maybe(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or []
    for process in processes:
        if process.pid == os.getpid() and process.usedGpuMemory is not None:
            return int(process.usedGpuMemory)
    return None
