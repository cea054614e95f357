"""For the whole suite: one math thread a process, since the suite itself runs in parallel."""

from __future__ import annotations

import os

# Before torch is loaded anywhere; engine processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
for _name in [name for name in os.environ if name.startswith("HMI_")]:
    del os.environ[_name]


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes give no name: compressed ones hold the time, and each worker would have its own."""
    return "bytes" if isinstance(val, bytes) else None
