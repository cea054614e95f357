"""The NVIDIA device's own readings, taken in a thread that may hang without harm."""

from __future__ import annotations

import threading
import time
from typing import Any

from engine.schema import DeviceProcess, DeviceStatus
from engine.telemetry.gpu_reading import Reading, maybe, read

STALE_S = 5.0


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
        return _status(reading, age)

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
            reading = maybe(nvml, lambda: read(nvml, handle))
            self._latest = reading or self._latest
            self._looked.set()
            self._ending.wait(self._interval)
        maybe(nvml, nvml.nvmlShutdown)

    def _handle(self, nvml: Any) -> Any:
        if isinstance(self._device, str):
            return nvml.nvmlDeviceGetHandleByUUID(self._device)
        return nvml.nvmlDeviceGetHandleByIndex(self._device)


def _load_nvml() -> Any:
    import pynvml

    return pynvml


def _status(reading: Reading, age: float) -> DeviceStatus:
    others = reading.neighbours
    return DeviceStatus(
        kind="cuda",
        name=reading.name,
        note=f"The readings are {age:.0f} s old." if age > STALE_S else "",
        total_bytes=reading.total_bytes,
        used_bytes=reading.used_bytes,
        engine_bytes=reading.engine_bytes,
        utilisation=reading.utilisation,
        power_w=reading.power_w,
        power_limit_w=reading.power_limit_w,
        temperature_c=reading.temperature_c,
        sm_mhz=reading.sm_mhz,
        sm_max_mhz=reading.sm_max_mhz,
        memory_mhz=reading.memory_mhz,
        memory_max_mhz=reading.memory_max_mhz,
        slowed_by=None if reading.slowed_by is None else list(reading.slowed_by),
        received_per_s=reading.received_per_s,
        sent_per_s=reading.sent_per_s,
        mig=reading.mig,
        mps=reading.mps,
        others=None
        if others is None
        else [DeviceProcess(pid=one.pid, name=one.name, bytes=one.bytes) for one in others],
        age_s=age,
    )
