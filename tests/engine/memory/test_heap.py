from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import psutil
from engine.memory import heap

if heap._glibc() is None:
    raise SystemExit(77)
heap.bound_arenas()
me = psutil.Process()
before = me.memory_info().rss
held = [bytes(20_000) for _ in range(10_000)]
# One in a hundred stays, so that no end of the heap is free.
held = held[::100]
full = me.memory_info().rss
heap.give_back()
after = me.memory_info().rss
print((full - before) >> 20, (after - before) >> 20)
"""


def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("not glibc")
    full, after = map(int, done.stdout.split())
    assert full > 150
    assert after < 30
