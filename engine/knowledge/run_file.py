"""A run that was stopped, on disk: what it started from, how far it is, and its tensors.

Whoever goes on with it checks that it is the same run; that is what an origin is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engine.errors import Damaged
from store import sums
from store.errors import StoreError


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """What makes a run this run: the fields of a subclass, all of which must be the same."""

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True, eq=False)
class KeptRun:
    """`origin` is the text of one; `done` is whatever JSON was kept with the tensors."""

    origin: str
    tensors: dict[str, Tensor]
    done: dict[str, Any]


def keep_run(
    path: Path, origin: RunOrigin, tensors: Mapping[str, Tensor], done: Mapping[str, Any]
) -> None:
    """Write it whole or not at all; the folder is there."""
    said = {"origin": origin.text(), "done": json.dumps(done)}
    sums.write_whole(path, save(dict(tensors), said))


def kept_run(path: Path) -> KeptRun:
    """What `keep_run` wrote. FileNotFoundError; Damaged if it cannot be read."""
    try:
        sums.check(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return KeptRun(metadata["origin"], tensors, json.loads(metadata["done"]))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, SafetensorError, StoreError) as error:
        raise Damaged(
            f"The unfinished run in {path} cannot be read: {error}.",
            remedy="Remove the file and begin again.",
        ) from error


def go_on(path: Path, origin: RunOrigin, take_up: Callable[[KeptRun], None]) -> bool:
    """Let `take_up` restore the run that `path` holds, if it is this one; whether it did.

    A file of another run, or one that cannot be read or taken up, is removed. `take_up` raises
    KeyError, ValueError or RuntimeError before it changes anything if parts are missing.
    """
    try:
        kept = kept_run(path)
        if kept.origin != origin.text():
            raise ValueError("another run's")
        take_up(kept)
    except FileNotFoundError:
        return False
    except (Damaged, ValueError, KeyError, RuntimeError):
        sums.remove(path)
        return False
    return True
