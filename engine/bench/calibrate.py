"""`python -m engine.bench.calibrate`: what `hmi size --calibrate` runs.

It measures this machine's CPU on the project's own texts with one thread: the model path alone,
then an engine of its own, asked over its socket. Times are the CPU's: what other processes take
meanwhile does not count.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median

import click
import psutil

from engine.bench.about import About, about_run
from engine.bench.ending import end_in_order, throwaway_folder
from engine.bench.speed import EXACT, UNCACHED, WARM, DatasetSpeed
from engine.client import Client, Paths
from engine.errors import HmiError, Unavailable
from engine.schema import ClassifyResponse, Timing, VplmBulkCreate
from engine.size.machines import Measured, keep_measured

TEXTS, REPEATS = 600, 3
VPLMS = 40
AT_ONCE, CROWD = 32, 20
"""Requests in flight at once, and how often each vPLM is asked among them."""
SLOTS = "6M"
"""A device cache of a few slots: whoever asks all vPLMs in turn finds none of them there."""
_READY_S = 120.0
_TEXT = "my parcel has not come"


@click.command()
@click.option("--home", envvar="HMI_HOME", metavar="DIR", help="Keep the figures here.")
@click.option("--socket", envvar="HMI_SOCKET", metavar="PATH", hidden=True)
def calibrate(home: str | None, socket: str | None) -> None:
    """Measure the coefficients of `hmi size`, keep them beside config.toml and print them."""
    end_in_order()
    try:
        measured = measure()
        path = keep_measured(measured, Paths.find(home, socket).config)
    except HmiError as error:
        click.echo(f"hmi size: {error}", err=True)
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    for name, value in asdict(measured).items():
        figure = f"{value * 1e6:,.1f} us" if isinstance(value, float) else value
        click.echo(f"{name:<18}{figure}")
    click.echo(f"kept in {path}", err=True)


def measure() -> Measured:
    """Everything, in a minute or two."""
    click.echo("measuring the model path", err=True)
    path, about, ours = _model_path()
    click.echo("measuring an engine over its socket", err=True)
    with throwaway_folder() as folder:
        exchange = _asked(folder)
    return coefficients(path, ours, exchange, about)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Answers one after the other; at first the adapters came from disk, then from host memory.
    `ours` is the share of that time in which the engine or the client computed.

    Then many were asked at once, so that batches were shared as they are under load: `engine_s` is
    how long the engine computed for each of those, of `tokens` tokens."""

    cold: list[Timing]
    warm: list[Timing]
    ours: float
    engine_s: float
    tokens: float


def coefficients(path: DatasetSpeed, ours: float, asked: Exchange, about: About) -> Measured:
    """`ours` is the share of the model path's time that this process had the core."""
    lookup, miss = split_retrieve(path)
    exact_token_s = ours * path.seconds(EXACT) / path.tokens
    adapter_copy_s = asked.ours * median(timing.load_s for timing in asked.warm)
    staged = asked.tokens * exact_token_s + adapter_copy_s
    return Measured(
        source=f"hmi size --calibrate, {about.line()}; adapter files in the page cache",
        float_bytes=2 if about.dtype == "bfloat16" else 4,
        exact_token_s=exact_token_s,
        upper_token_s=ours * path.stages[WARM]["compute"] / path.tokens,
        lookup_token_s=ours * lookup,
        miss_token_s=ours * miss,
        adapter_load_s=asked.ours * median(timing.load_s for timing in asked.cold),
        adapter_copy_s=adapter_copy_s,
        api_request_s=max(0.0, asked.engine_s - staged),
    )


def split_retrieve(path: DatasetSpeed) -> tuple[float, float]:
    """Seconds a token of looking rows up, and besides of computing one that is not there: two
    sides retrieved the same tokens with different shares of misses."""
    few, many = path.lookups[WARM].computed, path.lookups[UNCACHED].computed
    fast, slow = path.stages[WARM]["retrieve"], path.stages[UNCACHED]["retrieve"]
    miss = max(0.0, (slow - fast) / (many - few)) if many > few else 0.0
    return max(0.0, (fast - miss * few) / path.tokens), miss


def _model_path() -> tuple[DatasetSpeed, About, float]:
    import torch

    from engine.bench.model import open_model
    from engine.bench.sources import open_sources
    from engine.bench.subject import ModelChoice
    from engine.bench.tables import Tables
    from engine.bench.throughput import ThroughputPlan, measure_dataset

    torch.set_num_threads(1)
    model, sources = open_model(ModelChoice()), open_sources(None, (), {})
    (name,) = sources.datasets
    dataset = sources.dataset(name)
    plan = ThroughputPlan(texts=TEXTS, repeats=REPEATS)
    with throwaway_folder() as folder:
        tables = Tables(folder, model)
        tables.build(sources, (dataset.domain,), plan.alpha, lambda _line: None)
        began, used = time.perf_counter(), time.process_time()
        found = measure_dataset(model, tables, dataset, plan, lambda _line: None)
        ours = (time.process_time() - used) / (time.perf_counter() - began)
    about = about_run(threads=1, seed=plan.seed, dtype=model.dtype)
    return found, about, min(1.0, ours)


def _asked(folder: Path) -> Exchange:
    """Every vPLM in turn, a few times, and then many at once."""
    with _engine(folder) as (client, pid):
        client.create_tenant("calibration")
        request = VplmBulkCreate(
            tenant="calibration", name="m", labels=["a", "b"], count=VPLMS, mode="exact"
        )
        models = client.create_vplms(request)
        _timing(client, models[0])
        began, used = time.perf_counter(), _computed(pid) + time.process_time()
        cold = [_timing(client, model) for model in models[1:]]
        warm = [_timing(client, model) for _ in range(REPEATS) for model in models]
        computed = _computed(pid)
        ours = (computed + time.process_time() - used) / (time.perf_counter() - began)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            many = list(pool.map(partial(_ask, client), models * CROWD))
        engine_s = (_computed(pid) - computed) / len(many)
        tokens = fmean(answer.usage.prompt_tokens for answer in many)
        return Exchange(cold, warm, min(1.0, ours), engine_s, tokens)


def _computed(pid: int) -> float:
    """Seconds that the process `pid` has computed."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _ask(client: Client, model: str) -> ClassifyResponse:
    return client.classify(model, _TEXT)


def _timing(client: Client, model: str) -> Timing:
    return _ask(client, model).timing


@contextmanager
def _engine(folder: Path) -> Iterator[tuple[Client, int]]:
    """One of its own on a home of its own, and its process; gone afterwards."""
    paths = Paths.find(folder, folder / "s")
    flags = ("--threads", "1", "--device", "cpu", "--device-cache", SLOTS)
    place = ("--home", str(folder), "--socket", str(paths.socket))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine", "serve", *place, *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with Client(paths=paths) as client:
            _wait(client, process, folder / "log")
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while not (client.livez() and client.readyz()[0]):
        if process.poll() is not None or time.monotonic() > deadline:
            told = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
            raise Unavailable(f"The engine that is measured did not start: {told}")
        time.sleep(0.1)


if __name__ == "__main__":
    calibrate(prog_name="hmi size --calibrate")
