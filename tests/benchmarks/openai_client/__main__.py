"""The official OpenAI client, unchanged, against an engine on TCP with a tenant's key.

    python -m tests.benchmarks.openai_client --venvs DIR

Makes on first use an environment DIR/openai (`pip install openai`), starts an engine of its own on
this machine's loopback with two tenants, and lets the client do in turn all that it offers for
completions: whole and streamed, refused, left early.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from engine.bench.own_engine import own_engine
from engine.bench.table import table
from engine.client import Client
from engine.schema import VplmCreate
from tests.benchmarks.peers.environments import NotInstalled, environment

FOLDER = click.Path(file_okay=False, path_type=Path)
ROOT = Path(__file__).parents[3]
WORKER = "tests.benchmarks.openai_client.worker"


@click.command()
@click.option("--venvs", type=FOLDER, required=True, help="Where environments are made and kept.")
@click.option("--generator", type=FOLDER, default=None, help="Else the bundled one.")
def main(venvs: Path, generator: Path | None) -> None:
    """Each thing that the client does, and whether the answer is what it expects."""
    try:
        python = environment(venvs / "openai", ("openai",), lambda line: click.echo(line, err=True))
    except NotInstalled as error:
        raise click.ClickException(f"openai cannot be installed: {error}") from error
    address = f"127.0.0.1:{_free_port()}"
    flags = ["--device", "cpu", "--listen", address]
    flags += [] if generator is None else ["--generator", str(generator)]
    with (
        tempfile.TemporaryDirectory(prefix="hmi-openai-") as home,
        own_engine(Path(home), flags) as engine,
    ):
        order = {"url": f"http://{address}/v1"} | _keys(engine.client)
        told = list(_told(python, order))
    version = told.pop(0)["version"]
    click.echo(f"openai {version}\n")
    lines = [(one["what"], "as expected" if one["wrong"] is None else one["wrong"]) for one in told]
    click.echo(table(("THE CLIENT", "RESULT"), lines))
    if wrong := sum(one["wrong"] is not None for one in told):
        raise click.ClickException(f"{wrong} of {len(told)} are not what the client expects.")


def _keys(client: Client) -> dict[str, str]:
    """Two tenants with a generator and a classifier each, and the keys to all that is asked."""
    keys = {"operator": client.create_key().api_key}
    for tenant in ("acme", "globex"):
        keys[tenant] = client.create_tenant(tenant).api_key
        client.create_vplm(VplmCreate(tenant=tenant, name="tale", kind="generator"))
        client.create_vplm(VplmCreate(tenant=tenant, name="mood", labels=["no", "yes"]))
    client.create_vplm(VplmCreate(tenant="acme", name="place", task="embedding"))
    return keys


def _told(python: Path, order: dict[str, str]) -> Iterator[dict[str, Any]]:
    with subprocess.Popen(
        [str(python), "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={name: each for name, each in os.environ.items() if name != "PYTHONPATH"},
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(order))
        worker.stdin.close()
        for line in worker.stdout:
            yield json.loads(line)
    if worker.returncode:
        raise click.ClickException("The client's process broke off; its words are above.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    main(prog_name="openai_client")
