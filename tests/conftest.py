"""For the whole suite: one math thread a process, since the suite itself runs in parallel."""

from __future__ import annotations

import gc
import os

import pytest

# Before torch is loaded anywhere; engine processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
for _name in [name for name in os.environ if name.startswith("HMI_")]:
    del os.environ[_name]

# A quarter of what loading all tests takes would go to looking for garbage among what stays, and a
# third of what an application's tests take to looking at every 700 new objects.
gc.disable()
gc.set_threshold(10_000, 10, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that the workers end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What has been loaded stays; the collector need not look at it any more."""
    gc.freeze()
    gc.enable()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes give no name: compressed ones hold the time, and each worker would have its own."""
    return "bytes" if isinstance(val, bytes) else None
