"""Who else is on the device and what holds it down, as NVML tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.schema import DeviceProcess, DeviceStatus
from tests.engine.telemetry.test_gpu import ScriptedNvml, sampled


def read(nvml: ScriptedNvml) -> DeviceStatus:
    sampler = sampled(nvml)
    status = sampler.sample()
    sampler.close()
    assert status is not None
    return status


def test_clocks_power_and_pcie_have_their_units() -> None:
    status = read(ScriptedNvml())
    assert (status.sm_mhz, status.sm_max_mhz) == (1200, 1980)
    assert (status.memory_mhz, status.memory_max_mhz) == (2600, 2619)
    assert status.power_limit_w == 700.0
    assert (status.received_per_s, status.sent_per_s) == (2000 * 1024, 10 * 1024)


def test_others_are_listed_with_their_memory_and_without_the_engine() -> None:
    nvml = ScriptedNvml()
    nvml.others.append(SimpleNamespace(pid=2, usedGpuMemory=None))
    assert read(nvml).others == [
        DeviceProcess(pid=1, name="python3", bytes=9),
        DeviceProcess(pid=2, name="nvidia-cuda-mps-server", bytes=None),
    ]


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x000, []),
        (0x001, []),
        (0x004, ["power limit"]),
        (0x060, ["heat (driver)", "heat (hardware)"]),
    ],
)
def test_what_holds_the_clocks_down_is_said_in_words(bits: int, words: list[str]) -> None:
    nvml = ScriptedNvml()
    nvml.reasons = bits
    assert read(nvml).slowed_by == words


def test_mps_is_in_use_if_it_has_clients_or_its_server_is_there() -> None:
    idle, clients, server = ScriptedNvml(), ScriptedNvml(), ScriptedNvml("mps")
    clients.mps_clients = [SimpleNamespace(pid=1, usedGpuMemory=9)]
    server.others = [SimpleNamespace(pid=2, usedGpuMemory=9)]
    assert [read(nvml).mps for nvml in (idle, clients, server)] == [False, True, True]
    assert len(read(clients).others or ()) == 1


def test_mig_is_told_as_the_driver_tells_it() -> None:
    partitioned = ScriptedNvml()
    partitioned.mig = 1
    assert [read(nvml).mig for nvml in (ScriptedNvml(), partitioned)] == [False, True]


def test_nothing_of_it_need_be_known() -> None:
    missing = ("processes", "mps", "mig", "clocks", "reasons", "power limit", "pcie")
    status = read(ScriptedNvml(*missing))
    assert status.name == "NVIDIA Test"
    unknown = ("others", "mps", "mig", "slowed_by", "sm_mhz", "memory_max_mhz", "power_limit_w")
    for name in (*unknown, "received_per_s", "sent_per_s"):
        assert getattr(status, name) is None, name


def test_a_process_without_a_name_is_listed_all_the_same() -> None:
    status = read(ScriptedNvml("process name"))
    assert status.others == [DeviceProcess(pid=1, name="", bytes=9)]


def test_there_is_no_slowdown_without_a_prediction() -> None:
    assert read(ScriptedNvml()).slowdown is None
