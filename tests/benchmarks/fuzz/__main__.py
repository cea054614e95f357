"""A real engine under hostile calls, and under calls made from its own OpenAPI document.

    python -m tests.benchmarks.fuzz --calls 100000 --schemathesis PATH/TO/schemathesis

`schemathesis` lives in an environment of its own; without it that half is left out. Ends with 1 if
anything but the declared 503 began with a 5, if a line hung, if the engine died, or if its memory,
descriptors or threads grew.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil

from engine.client import Client, Paths
from engine.schema import Quota, VplmCreate
from tests.benchmarks.fuzz.hostile import hostile_calls
from tests.benchmarks.fuzz.siege import Verdict, besiege

WARM = 0.2
"""Of the calls, before the engine's use is taken as what it needs."""
MOST_GROWTH = 64 << 20
"""Bytes of memory: caches and arenas that fill for the first time."""
START_S = 120.0


@dataclass(frozen=True, slots=True)
class Use:
    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> Use:
        return cls(process.memory_info().rss, process.num_fds(), process.num_threads())


@dataclass(frozen=True, slots=True)
class Keys:
    operator: str
    acme: str
    globex: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _furnished(client: Client) -> Keys:
    """Two tenants with a vPLM each, and the operator's own key."""
    deadline = time.monotonic() + START_S
    while not (client.livez() and client.readyz()[0]):
        assert time.monotonic() < deadline, "the engine does not start"
        time.sleep(0.2)
    made = []
    for tenant in ("acme", "globex"):
        # Bounded, so that the disk and the month do not fill up with what a fuzzer asks for.
        quota = Quota(vplms=200, bytes=256 << 20, training_minutes=1)
        made.append(client.create_tenant(tenant, quota=quota).api_key)
        client.create_vplm(VplmCreate(tenant=tenant, name="a", labels=["no", "yes"]))
    return Keys(client.create_key(None, ("infer", "train")).api_key, *made)


def _settled(process: psutil.Process, client: Client) -> Use:
    """Once what was begun has ended."""
    client.status()
    time.sleep(5)
    return Use.of(process)


async def _hostile(port: int, keys: Keys, calls: int, seed: int) -> Verdict:
    known = [keys.acme, keys.globex, keys.operator]
    return await besiege("127.0.0.1", port, hostile_calls(seed, known), calls)


def _by_the_book(
    program: Path, folder: str, port: int, key: str, examples: int, seed: int
) -> tuple[int, str]:
    """Schemathesis over every route but the one that ends the engine; its exit code and report.
    What it keeps of its own goes into `folder`."""
    url = f"http://127.0.0.1:{port}"
    command = [program, "run", f"{url}/openapi.json", "--url", url, "--seed", seed]
    command += ["--header", f"Authorization: Bearer {key}", "--checks", "not_a_server_error"]
    command += ["--exclude-path", "/v1/stop", "--exclude-path-regex", "events"]
    command += ["--max-examples", examples, "--request-timeout", 60, "--no-color"]
    ran = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=folder
    )
    return ran.returncode, ran.stdout[-4000:]


@click.command()
@click.option("--calls", type=click.IntRange(100), default=100_000, show_default=True)
@click.option("--examples", type=int, default=50, show_default=True, help="A route, by the book.")
@click.option("--schemathesis", type=click.Path(exists=True, path_type=Path))
@click.option("--seed", type=int, default=1, show_default=True)
def main(calls: int, examples: int, schemathesis: Path | None, seed: int) -> None:
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="hmi-fuzz-") as home:
        paths = Paths.find(home)
        command = [sys.executable, "-m", "engine", "serve", "--home", home, "--threads", "1"]
        command += ["--listen", f"127.0.0.1:{port}"]
        with (Path(home) / "log").open("wb") as log:
            engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            with Client(paths.socket) as client:
                keys, process = _furnished(client), psutil.Process(engine.pid)
                warm = int(calls * WARM)
                first = asyncio.run(_hostile(port, keys, warm, seed))
                before = _settled(process, client)
                began = time.monotonic()
                second = asyncio.run(_hostile(port, keys, calls - warm, seed + 1))
                seconds = time.monotonic() - began
                after = _settled(process, client)
                book = (0, "left out")
                if schemathesis is not None:
                    for key in (keys.acme, client.create_key().api_key):
                        if book[0] == 0:
                            book = _by_the_book(
                                schemathesis.absolute(), home, port, key, examples, seed
                            )
                alive = client.livez() and client.readyz()[0]
        finally:
            engine.terminate()
            engine.wait(30)
    wrong = first.wrong + second.wrong
    grown = after.memory - before.memory
    held = after.descriptors <= before.descriptors + 4 and after.threads <= before.threads + 2
    good = not wrong and alive and book[0] == 0 and held and grown <= MOST_GROWTH
    report = {
        "calls": first.calls + second.calls,
        "seconds": seconds,
        "kinds": dict(first.by_kind + second.by_kind),
        "statuses": dict(first.by_status + second.by_status),
        "wrong": wrong,
        "before": asdict(before),
        "after": asdict(after),
        "schemathesis": {"exit_code": book[0], "report": book[1]},
        "alive": alive,
        "good": good,
    }
    click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
