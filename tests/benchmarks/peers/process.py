"""A peer as a process that is asked again and again, a line of JSON each way."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.environments import NotInstalled, last_line

WORKER = Path(__file__).with_name("worker.py")


class PeerProcess:
    """Ready when made; NotInstalled if it ends before that. `close` once."""

    def __init__(self, python: Path, order: dict[str, Any], worker: Path = WORKER) -> None:
        threads = str(order["threads"])
        environment = os.environ | {"OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1"}
        environment.pop("PYTHONPATH", None)
        environment.pop("VIRTUAL_ENV", None)
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115  it lives as long as the process
        self._process = subprocess.Popen(
            [str(python), str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
            env=environment,
        )
        try:
            ready = self.ask(order)
        except NotInstalled:
            self.close()
            raise
        self.distinct: int = ready["distinct"]
        self.versions: dict[str, str] = ready["versions"]

    def seconds(self, rows: Sequence[list[int]]) -> float:
        """What the peer took for a batch of token ids."""
        answer = self.ask(list(rows))
        assert answer["answers"] == len(rows)
        return float(answer["seconds"])

    def close(self) -> None:
        """Its input ends, and so does it; by force if it takes long, for what it measured is
        told."""
        try:
            self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._told.close()

    def ask(self, question: Any) -> dict[str, Any]:
        """Its answer; NotInstalled with its last words if it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait(20)
            self._told.seek(0)
            raise NotInstalled(last_line(self._told.read()))
        return dict(json.loads(line))
