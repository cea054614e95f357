"""What creating costs through the API of an engine of its own: one vPLM by each of the ways to
start, going back and promoting, and thousands at once and by a file.

    python -m tests.benchmarks.creating --singles 200 --many 5000
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median

import click
from click.testing import CliRunner

from engine.bench.about import about_run
from engine.bench.own_engine import own_engine
from engine.bench.table import table
from engine.client import Client
from engine.schema import StarterPublish, Vplm, VplmBulkCreate, VplmCreate
from hmi_tui.cli.root import hmi

TENANT = "acme"
LABELS = ["a", "b", "c", "d"]
_WARM = 5


def timed(count: int, act: Callable[[int], object]) -> list[float]:
    """Seconds of each of `count` calls, the first few aside."""
    took: list[float] = []
    for i in range(count + _WARM):
        began = time.perf_counter()
        act(i)
        took.append(time.perf_counter() - began)
    return took[_WARM:]


def high(took: list[float]) -> float:
    """The 99th percentile."""
    return sorted(took)[-1 - len(took) // 100]


def ways(client: Client, singles: int) -> Iterator[tuple[str, list[float]]]:
    """Each way to make or change one, with what its calls took."""

    def create(kind: str, **start: object) -> Callable[[int], Vplm]:
        def act(i: int) -> Vplm:
            spec = {"tenant": TENANT, "name": f"{kind}-{i:05d}", **start}
            return client.create_vplm(VplmCreate.model_validate(spec))

        return act

    yield "random", timed(singles, create("random", labels=LABELS))
    first = f"{TENANT}/random-00000"
    yield "copy", timed(singles, create("copy", from_vplm=first))
    fresh = create("fresh", from_vplm=first, labels=["x", "y"])
    yield "copy, other labels", timed(singles, fresh)
    client.publish_starter(StarterPublish(name="four", vplm=first))
    yield "published one", timed(singles, create("published", from_starter="four"))
    client.promote(f"{TENANT}/random-00001", "random-00000")

    def back(i: int) -> Vplm:
        return client.roll_back(first, 1 + i)

    yield "roll back", timed(min(singles, 100), back)
    copied = f"{TENANT}/copy-00000"
    yield "promote", timed(singles, lambda _: client.promote(copied, "random-00001"))


def by_file(folder: Path, home: Path, socket: Path, count: int) -> tuple[float, float]:
    """Seconds of applying a file of `count` vPLMs, and of applying it again."""
    file = folder / "many.toml"
    file.write_text(
        f'[tenants.{TENANT}]\n[vplms."{TENANT}/file"]\nlabels = ["a", "b"]\ncount = {count}\n'
    )
    took: list[float] = []
    for _ in range(2):
        began = time.perf_counter()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            place = ["--home", str(home), "--socket", str(socket)]
            result = CliRunner().invoke(hmi, [*place, "create", "-f", str(file)])
        assert result.exit_code == 0, result.output
        took.append(time.perf_counter() - began)
    return took[0], took[1]


@click.command()
@click.option("--singles", type=int, default=200, show_default=True)
@click.option("--many", type=int, default=5000, show_default=True)
@click.option("--where", type=click.Path(path_type=Path), help="A folder on the disk to measure.")
def main(singles: int, many: int, where: Path | None) -> None:
    """Milliseconds of single calls, seconds of many, bytes of one."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        # Every version stays, so that a rollback has where to go.
        with own_engine(home, ["--device", "cpu", "--keep-versions", "1000"]) as engine:
            client = engine.client
            client.create_tenant(TENANT)
            rows = [
                (way, f"{1000 * median(took):.1f}", f"{1000 * high(took):.1f}")
                for way, took in ways(client, singles)
            ]
            began = time.perf_counter()
            client.create_vplms(
                VplmBulkCreate(tenant=TENANT, name="many", count=many, labels=LABELS)
            )
            bulk = time.perf_counter() - began
            first, again = by_file(folder, home, engine.paths.socket, many)
            one = client.vplm(f"{TENANT}/many-00001")
    click.echo(about_run(threads=1, seed=0).line() + "\n")
    click.echo(table(("ONE BY", ">MEDIAN MS", ">P99 MS"), rows) + "\n")
    click.echo(f"{many:,} in one call: {bulk:.1f} s")
    click.echo(f"{many:,} by a file: {first:.1f} s, applied again {again:.1f} s")
    wholes = ("a private copy", one.dedicated_bytes), ("a BERT-base", one.bert_base_bytes)
    for what, whole in wholes:
        share = one.stored_bytes / whole
        click.echo(f"stored {one.stored_bytes:,} bytes, {share:.2%} of {what} ({whole:,})")


if __name__ == "__main__":
    main()
