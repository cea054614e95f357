from __future__ import annotations

from pathlib import Path

from engine.telemetry.host import FRESH_S, HostSampler


def test_the_host_is_described_in_bytes_and_shares(tmp_path: Path) -> None:
    status = HostSampler().sample({"backbone": 5}, threads=3, data=tmp_path)
    assert status.cores >= 1
    assert status.threads == 3
    assert 0 <= status.cpu <= 1
    assert 0 <= status.engine_cpu <= 1
    assert 0 < status.engine_bytes < status.used_bytes <= status.total_bytes
    assert status.disk_free_bytes > 0
    assert status.by_owner == {"backbone": 5}


def test_a_folder_that_is_not_there_yet_stands_for_the_one_above(tmp_path: Path) -> None:
    status = HostSampler().sample({}, threads=1, data=tmp_path / "a" / "b")
    assert status.disk_free_bytes > 0


def test_readings_are_shared_for_half_a_second_and_owners_are_not(tmp_path: Path) -> None:
    now = 0.0
    sampler = HostSampler(clock=lambda: now)
    first = sampler.sample({"tables": 1}, threads=1, data=tmp_path)
    reading = sampler._latest
    now = FRESH_S / 2
    second = sampler.sample({"tables": 2}, threads=1, data=tmp_path)
    assert sampler._latest is reading
    assert second.engine_bytes == first.engine_bytes
    assert second.by_owner == {"tables": 2}
    now = FRESH_S * 2
    sampler.sample({}, threads=1, data=tmp_path)
    assert sampler._latest is not reading
