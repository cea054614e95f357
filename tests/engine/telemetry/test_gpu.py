from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from engine.telemetry.gpu import GpuSampler


class NVMLError(Exception):
    pass


class ScriptedNvml:
    """NVML with one device; names in `missing` raise, as a driver does for what it lacks."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_PCIE_UTIL_TX_BYTES = 0
    NVML_PCIE_UTIL_RX_BYTES = 1
    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, *missing: str) -> None:
        self.missing = set(missing)
        self.asked: list[tuple[str, Any]] = []
        self.ended = threading.Event()
        self.reasons = 0
        self.mig = 0
        self.mps_clients: list[Any] = []
        self.names = {1: b"/usr/bin/python3", 2: b"/usr/bin/nvidia-cuda-mps-server"}
        self.others = [SimpleNamespace(pid=1, usedGpuMemory=9)]

    def _give(self, name: str, value: Any) -> Any:
        if name in self.missing:
            raise NVMLError("Not Supported")
        return value

    def nvmlInit(self) -> None:  # noqa: N802
        self._give("init", None)

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.ended.set()

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        self.asked.append(("index", index))
        return str(self._give("handle", "h"))

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.asked.append(("uuid", uuid))
        return "h"

    def nvmlDeviceGetName(self, _: str) -> bytes:  # noqa: N802
        return bytes(self._give("name", b"NVIDIA Test"))

    def nvmlDeviceGetMemoryInfo(self, _: str) -> Any:  # noqa: N802
        return self._give("memory", SimpleNamespace(total=100, used=40))

    def nvmlDeviceGetUtilizationRates(self, _: str) -> Any:  # noqa: N802
        return self._give("rates", SimpleNamespace(gpu=25))

    def nvmlDeviceGetPowerUsage(self, _: str) -> int:  # noqa: N802
        return int(self._give("power", 70_500))

    def nvmlDeviceGetTemperature(self, _: str, __: int) -> int:  # noqa: N802
        return int(self._give("temperature", 41))

    def nvmlDeviceGetComputeRunningProcesses(self, _: str) -> Any:  # noqa: N802
        own = SimpleNamespace(pid=os.getpid(), usedGpuMemory=7)
        return self._give("processes", [*self.others, own])

    def nvmlDeviceGetMPSComputeRunningProcesses(self, _: str) -> Any:  # noqa: N802
        return self._give("mps", self.mps_clients)

    def nvmlSystemGetProcessName(self, pid: int) -> bytes:  # noqa: N802
        return bytes(self._give("process name", self.names[pid]))

    def nvmlDeviceGetMigMode(self, _: str) -> list[int]:  # noqa: N802
        return list(self._give("mig", [self.mig, self.mig]))

    def nvmlDeviceGetClockInfo(self, _: str, kind: int) -> int:  # noqa: N802
        return int(self._give("clocks", {1: 1200, 2: 2600}[kind]))

    def nvmlDeviceGetMaxClockInfo(self, _: str, kind: int) -> int:  # noqa: N802
        return int(self._give("clocks", {1: 1980, 2: 2619}[kind]))

    def nvmlDeviceGetCurrentClocksEventReasons(self, _: str) -> int:  # noqa: N802
        return int(self._give("reasons", self.reasons))

    def nvmlDeviceGetEnforcedPowerLimit(self, _: str) -> int:  # noqa: N802
        return int(self._give("power limit", 700_000))

    def nvmlDeviceGetPcieThroughput(self, _: str, counter: int) -> int:  # noqa: N802
        return int(self._give("pcie", {0: 10, 1: 2000}[counter]))


def sampled(nvml: ScriptedNvml, device: int | str = 0) -> GpuSampler:
    sampler = GpuSampler(device, interval=0.01, nvml=nvml)
    sampler.start()
    assert sampler.wait(10)
    return sampler


def test_a_device_is_read_in_its_own_thread() -> None:
    nvml = ScriptedNvml()
    sampler = sampled(nvml)
    status = sampler.sample()
    sampler.close()
    assert status is not None
    assert (status.kind, status.name, status.note) == ("cuda", "NVIDIA Test", "")
    assert (status.total_bytes, status.used_bytes, status.engine_bytes) == (100, 40, 7)
    assert (status.utilisation, status.power_w, status.temperature_c) == (0.25, 70.5, 41.0)
    assert status.age_s < 5
    assert nvml.ended.is_set()


def test_what_the_driver_does_not_say_is_none() -> None:
    sampler = sampled(ScriptedNvml("memory", "rates", "power", "temperature", "processes"))
    status = sampler.sample()
    sampler.close()
    assert status is not None
    assert status.name == "NVIDIA Test"
    assert status.used_bytes is status.utilisation is status.power_w is None
    assert status.temperature_c is status.engine_bytes is None


@pytest.mark.parametrize("missing", ["init", "handle", "name"])
def test_no_driver_or_no_device_is_a_normal_state(missing: str) -> None:
    sampler = sampled(ScriptedNvml(missing))
    assert sampler.sample() is None
    sampler.close()


def test_a_device_may_be_named_by_its_uuid() -> None:
    nvml = ScriptedNvml()
    sampled(nvml, "GPU-1234").close()
    assert nvml.asked == [("uuid", "GPU-1234")]


def test_a_hanging_driver_makes_readings_old_and_not_the_engine_slow() -> None:
    hanging, stay = threading.Event(), threading.Event()

    class Hanging(ScriptedNvml):
        reads = 0

        def nvmlDeviceGetName(self, _: str) -> bytes:  # noqa: N802
            self.reads += 1
            if self.reads > 1:
                hanging.set()
                stay.wait(20)
            return b"NVIDIA Test"

    sampler = sampled(Hanging())
    assert hanging.wait(10)
    status = sampler.sample()
    assert status is not None
    first_age = status.age_s
    latest = sampler.sample()
    assert latest is not None
    assert latest.age_s >= first_age
    sampler.close(timeout=0.01)
    stay.set()


def test_old_readings_say_how_old_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = sampled(ScriptedNvml())
    sampler.close()
    assert sampler._latest is not None
    later = sampler._latest.at + 12
    monkeypatch.setattr("engine.telemetry.gpu.time.monotonic", lambda: later)
    status = sampler.sample()
    assert status is not None
    assert status.age_s == pytest.approx(12)
    assert status.note == "The readings are 12 s old."


def test_a_machine_without_nvml_has_no_device() -> None:
    sampler = GpuSampler(10_000)
    sampler.start()
    assert sampler.wait(20)
    assert sampler.sample() is None
    sampler.close()
