"""What the demo did, in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from engine.schema import Status
from hmi_tui.cli.output import percent, record, table
from hmi_tui.cli.tree import tree_table
from hmi_tui.demo.generator import Written
from hmi_tui.demo.steps import Step
from hmi_tui.demo.world import Trained
from hmi_tui.figures import seconds, size


@dataclass(frozen=True, slots=True)
class DemoReport:
    """`load` is the simulator's document, `status` the engine's just after the load."""

    steps: tuple[Step, ...]
    trained: Trained
    written: Written
    load: dict[str, Any]
    status: Status

    def document(self) -> dict[str, Any]:
        return {
            "steps": [asdict(step) for step in self.steps],
            "trained": asdict(self.trained),
            "written": asdict(self.written),
            "load": self.load,
            "status": self.status.model_dump(mode="json"),
        }

    def text(self) -> str:
        """The report for people, in sections."""
        steps = ((step.name, f"{step.seconds:.1f}") for step in self.steps)
        sections = {
            "Steps": table(("STEP", ">SECONDS"), steps),
            "Domains": tree_table(self.status.domains),
            "Result": record(self._result()),
        }
        return "\n\n".join(f"{title}\n{body}" for title, body in sections.items())

    def _result(self) -> Iterator[tuple[str, str]]:
        status, load, host = self.status, self.load, self.status.host
        yield "tenants, vPLMs", f"{status.tenants}, {status.vplms}"
        yield f"{self.trained.vplm} held-out accuracy", percent(self.trained.held_out)
        for mode, value in self.trained.measured.items():
            yield f"accuracy on {self.trained.rows_measured} new texts, {mode}", percent(value)
        written = self.written
        told = "none" if written.perplexity is None else f"{written.perplexity:.1f}"
        yield f"{written.vplm} held-out perplexity", told
        for mode, text in written.texts.items():
            yield f"it goes on, {mode}", " ".join((written.prompt + text).split())
        yield "load", f"{load['sent']} requests on {load['vplms']} vPLMs"
        yield "requests/s", f"{load['answered_per_s']:.1f}"
        latency = load["latency_s"]
        if latency is not None:
            yield "latency p50, p99", f"{seconds(latency['p50'])}, {seconds(latency['p99'])}"
        yield "errors", ", ".join(f"{k} {n}" for k, n in load["errors"].items()) or "none"
        yield "table hit rate", percent(load["hit_rate"])
        yield "device", ", ".join(part for part in (status.device.name, status.device.note) if part)
        yield "engine memory", size(host.engine_bytes)
        for owner, count in host.by_owner.items():
            yield f"  {owner}", size(count)
