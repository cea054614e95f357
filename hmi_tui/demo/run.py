"""The demo from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from engine.client import Client, HmiError, Paths
from engine.schema import LoadRequest
from hmi_tui.demo.generator import Written, train_generator
from hmi_tui.demo.home import load_on, throw_away_engine
from hmi_tui.demo.manifest import Manifest, read_manifest
from hmi_tui.demo.report import DemoReport
from hmi_tui.demo.steps import Steps
from hmi_tui.demo.world import Trained, build_domains, create_vplms, train_one
from hmi_tui.signals import orderly_end


def run_headless(
    seconds: float, rate: float, say: Callable[[str], None], arguments: Sequence[str] = ()
) -> DemoReport:
    """Build everything, put `rate` requests a second on it for `seconds`, and report.

    `arguments` are flags of `hmi serve`. Raises HmiError if a step fails.
    """
    manifest, steps = read_manifest(), Steps(say)
    with _engine(steps, arguments) as paths, Client(paths=paths) as client:
        trained, written = _build(client, manifest, steps)
        with steps.step(f"load: {rate:g} requests a second for {seconds:g} s"):
            load = _measure_load(paths, seconds, rate)
        return DemoReport(tuple(steps.done), trained, written, load, client.status())


def run_in_application(
    rate: float, say: Callable[[str], None], arguments: Sequence[str] = ()
) -> None:
    """Build everything, and open the application on it, with load, until it is left."""
    from hmi_tui.app import run

    manifest, steps = read_manifest(), Steps(say)
    with _engine(steps, arguments) as paths:
        with Client(paths=paths) as client:
            _build(client, manifest, steps)
        steps.tell("opening the application; leaving it ends the demo")
        run(paths, load=_load(rate, 0))
        steps.tell("ending the engine and removing its home")


@contextmanager
def _engine(steps: Steps, arguments: Sequence[str]) -> Iterator[Paths]:
    with orderly_end(), ExitStack() as stack:
        with steps.step("starting an engine in a throw-away home"):
            paths = stack.enter_context(throw_away_engine(arguments, _indented(steps)))
        yield paths


def _indented(steps: Steps) -> Callable[[str], None]:
    return lambda line: steps.tell(f"  {line}")


def _build(client: Client, manifest: Manifest, steps: Steps) -> tuple[Trained, Written]:
    build_domains(client, manifest, steps)
    create_vplms(client, manifest, steps)
    trained = train_one(client, manifest.dataset, steps)
    return trained, train_generator(client, manifest.generator, steps)


def _load(rate: float, seconds: float) -> LoadRequest:
    return LoadRequest(rate=rate, duration=seconds, popularity="zipf")


def _measure_load(paths: Paths, seconds: float, rate: float) -> dict[str, Any]:
    with load_on(paths, [*_load(rate, seconds).flags(), "--json"]) as process:
        out, _ = process.communicate()
    if process.returncode != 0:
        raise HmiError(
            f"The load simulator ended with code {process.returncode}.",
            remedy="Its own words are above.",
        )
    report: dict[str, Any] = json.loads(out)
    if not report["answered"]:
        raise HmiError(f"No request was answered: {report['errors']}.", remedy="See hmi logs.")
    return report
