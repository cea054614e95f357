from __future__ import annotations

import subprocess
import sys

import pytest

_TOUCHED = """
import resource
import torch
from engine.process import keep_freed_memory
if {kept}:
    assert keep_freed_memory()
for _ in range(20):
    torch.ones(250_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(250_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_batch_frees_is_used_again_without_new_pages(kept: bool) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TOUCHED.format(kept=kept)],
        capture_output=True,
        text=True,
        check=True,
    )
    pages = int(told.stdout)
    assert (pages < 1000) == kept, pages


def test_settled_objects_leave_the_collectors_rounds() -> None:
    code = (
        "import gc\n"
        "from engine.process import leave_settled_objects\n"
        "kept = [[i] for i in range(50_000)]\n"
        "leave_settled_objects()\n"
        "print(gc.get_freeze_count() >= len(kept), len(gc.get_objects()) < 10_000)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "True"]
