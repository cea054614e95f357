"""Where and how a figure was measured; without it the figure says nothing."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class About:
    """The machine, the versions and the choices that every result of a run shares."""

    cpu: str
    cores: int
    """Those this process may use."""
    memory_bytes: int
    system: str
    python: str
    torch: str
    numpy: str
    hmi: str
    threads: int
    device: str
    dtype: str
    seed: int
    date: str

    def line(self) -> str:
        """For the head of a table."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        dtype = f", {self.dtype}" if self.dtype else ""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_bytes / (1 << 30):.0f} GiB; {threads}, "
            f"{self.device}{dtype}; Python {self.python}, torch {self.torch}, "
            f"numpy {self.numpy}; seed {self.seed}; {self.date}"
        )


def about_run(*, threads: int, seed: int, device: str = "cpu", dtype: str = "") -> About:
    """`dtype` is empty where no model computes."""
    return About(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        system=platform.platform(terse=True),
        python=platform.python_version(),
        torch=_version("torch"),
        numpy=_version("numpy"),
        hmi=_version("hmi-serve"),
        threads=threads,
        device=device,
        dtype=dtype,
        seed=seed,
        date=time.strftime("%Y-%m-%d"),
    )


def _version(package: str) -> str:
    """Asked of the installation, so that torch need not be loaded to name it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.machine()
