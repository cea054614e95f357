"""A real engine under hostile calls, some in good faith between them, and under calls made from
its own OpenAPI document.

    python -m tests.benchmarks.fuzz --calls 100000 --schemathesis PATH/TO/schemathesis

`schemathesis` lives in an environment of its own; without it that half is left out. Ends with 1 if
anything but the declared 503 began with a 5, if a line hung, if a call in good faith was not
answered, if the engine died, or if its memory, descriptors or threads grew.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil

from engine.client import Client, Conflict, Paths
from engine.schema import Quota, VplmCreate
from tests.benchmarks.fuzz.hostile import CLASSIFIER, GENERATOR, TENANT, Keyring, hostile_calls
from tests.benchmarks.fuzz.siege import Verdict, besiege
from tests.engine.conftest import write_decoder

ROUND = 5000
WARM = 0.2
"""Of the calls, before the engine's use is taken as what it needs."""
MOST_GROWTH = 64 << 20
"""Bytes of memory: caches and arenas that fill for the first time."""
START_S = 600.0


@dataclass(frozen=True, slots=True)
class Use:
    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> Use:
        return cls(process.memory_info().rss, process.num_fds(), process.num_threads())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(client: Client) -> None:
    deadline = time.monotonic() + START_S
    while not (client.livez() and client.readyz()[0]):
        assert time.monotonic() < deadline, "the engine does not start"
        time.sleep(0.2)


def _furnished(client: Client) -> Keyring:
    """Three tenants with a vPLM of each kind, whatever hostile calls have made of them; with keys
    that nobody has had yet, and the operator's own."""
    keys = {}
    for tenant in (TENANT, "globex", "kept"):
        # Bounded, so that the disk and the month do not fill up with what a fuzzer asks for.
        quota = Quota(vplms=200, bytes=256 << 20, training_minutes=1)
        with suppress(Conflict):
            client.create_tenant(tenant, quota=quota)
        keys[tenant] = client.rotate_key(tenant).api_key
        for name, kind in ((CLASSIFIER, "classifier"), (GENERATOR, "generator")):
            labels = ["no", "yes"] if kind == "classifier" else []
            with suppress(Conflict):
                client.create_vplm(
                    VplmCreate(tenant=tenant, name=name, kind=kind, labels=labels, rank=4)
                )
    operator = client.create_key(None, ("infer", "train"), replaces="all").api_key
    return Keyring((keys[TENANT], keys["globex"], operator), "kept", keys["kept"])


def _settled(process: psutil.Process, client: Client) -> Use:
    """Once what was begun has ended."""
    client.status()
    time.sleep(5)
    return Use.of(process)


def _hostile(client: Client, port: int, calls: int, seed: int) -> Verdict:
    """So many calls, in rounds, before each of which what the last one has removed is made anew."""
    verdict = Verdict()
    for begun in range(0, calls, ROUND):
        sent = hostile_calls(seed + begun, _furnished(client))
        count = min(ROUND, calls - begun)
        round_ = asyncio.run(besiege("127.0.0.1", port, sent, count))
        for each in round_.wrong:
            click.echo(each, err=True)
        verdict += round_
        click.echo(f"{begun + count:,} of {calls:,}, {len(verdict.wrong)} wrong", err=True)
    return verdict


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
        decoder = Path(home) / "decoder"
        decoder.mkdir()
        write_decoder(decoder)
        command = [sys.executable, "-m", "engine", "serve", "--home", home, "--threads", "1"]
        command += ["--listen", f"127.0.0.1:{port}", "--generator", str(decoder)]
        with (Path(home) / "log").open("wb") as log:
            engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            with Client(paths.socket) as client:
                _await(client)
                process = psutil.Process(engine.pid)
                warm = int(calls * WARM)
                began = time.monotonic()
                verdict = _hostile(client, port, warm, seed)
                before = _settled(process, client)
                verdict += _hostile(client, port, calls - warm, seed + calls)
                after = _settled(process, client)
                seconds = time.monotonic() - began
                book = (0, "left out")
                if schemathesis is not None:
                    for key in (_furnished(client).tried[0], client.create_key().api_key):
                        if book[0] == 0:
                            book = _by_the_book(
                                schemathesis.absolute(), home, port, key, examples, seed
                            )
                alive = client.livez() and client.readyz()[0]
                last = _settled(process, client)
        finally:
            engine.terminate()
            engine.wait(30)
    # What calls by the book have made is there, and takes memory.
    held = all(
        use.descriptors <= before.descriptors + 4 and use.threads <= before.threads + 2
        for use in (after, last)
    )
    grown = after.memory - before.memory
    good = not verdict.wrong and alive and book[0] == 0 and held and grown <= MOST_GROWTH
    report = {
        "calls": verdict.calls,
        "seconds": seconds,
        "kinds": dict(verdict.by_kind),
        "statuses": dict(verdict.by_status),
        "wrong": verdict.wrong,
        "before": asdict(before),
        "after": asdict(after),
        "last": asdict(last),
        "schemathesis": {"exit_code": book[0], "report": book[1]},
        "alive": alive,
        "good": good,
    }
    click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
