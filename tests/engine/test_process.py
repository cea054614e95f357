from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import Damaged
from engine.process import without_frames
from store.errors import StoreError

_TOUCHED = """
import resource
import torch
from engine.process import keep_freed_memory

def batch():
    held = [torch.ones(50_000) for _ in range(200)]

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

assert keep_freed_memory()
batch()
before = pages()
for _ in range(10):
    batch()
print(pages() - before)
"""


def test_what_a_batch_frees_is_used_again_without_new_pages() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TOUCHED], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 1000, "ten batches of forty megabytes are 100,000 pages"


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


_TOKENISED = """
import os, sys
import torch
from transformers import AutoTokenizer
from engine.process import tokenise_in_the_callers_thread

tokenise_in_the_callers_thread()
fast = AutoTokenizer.from_pretrained(sys.argv[1]).backend_tokenizer
before = len(os.listdir("/proc/self/task"))
fast.encode_batch(["the film was not very good"] * 500)
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.parametrize(("given", "team"), [(None, False), ("true", True)])
def test_texts_are_tokenised_in_the_callers_thread_if_nobody_wants_otherwise(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, team: bool
) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    if given is not None:
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", given)
    told = subprocess.run(
        [sys.executable, "-c", _TOKENISED, str(checkpoint)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (int(told.stdout) > 0) == team


def failed(kind: type[Exception]) -> Exception:
    """An error with a cause, both of which went through frames."""
    try:
        try:
            raise OSError("the disk")
        except OSError as error:
            raise kind("so it is") from error
    except kind as error:
        return error


def framed(error: BaseException) -> list[bool]:
    """Whether it and its causes have frames."""
    at: BaseException | None = error
    found = []
    while at is not None:
        found.append(at.__traceback__ is not None)
        at = at.__cause__
    return found


def test_a_foreseen_error_lets_go_of_its_frames_and_another_does_not() -> None:
    for kind, kept in ((Damaged, False), (StoreError, False), (RuntimeError, True)):
        error = failed(kind)
        assert framed(error) == [True, True]
        assert without_frames(error) is error
        assert framed(error) == [kept, kept]
