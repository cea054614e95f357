"""What there is to say of a job: in short beside its curves, in full in a window, in a legend."""

from __future__ import annotations

from engine.schema import Job, TrainRequest
from hmi_tui import figures
from hmi_tui.screens.tenant_facts import instant
from hmi_tui.widgets.fact_list import Fact
from hmi_tui.widgets.tables import STATE_SIGNS, last_held_out

NOT_BESIDE = ("type", "vplm", "dataset", "when", "seed")
"""Parameters that only the description of a job has; the curves need the room."""
ALWAYS_BESIDE = ("epochs", "lr", "batch_size", "optimizer")
"""Of a training; of its others only what was chosen otherwise than usual."""
USUAL = {name: field.default for name, field in TrainRequest.model_fields.items()}
IN_WINDOW = ("confusion", "classes")
"""Parts of a result that have a window of their own."""


def called(job: Job) -> str:
    """A job in a legend: what it works on, and the end of its id, which tells two apart."""
    return f"{job.subject} {job.id[-4:]}"


def short_facts(job: Job) -> list[Fact]:
    """State, message and how it was started, for beside the curves."""
    sign, tone = STATE_SIGNS[job.state]
    said = job.error or job.message
    facts: list[Fact] = [("state", f"{sign} {job.state}" + (f": {said}" if said else ""), tone)]
    if job.accuracy:
        best = max(point.value for point in job.accuracy)
        lowest = min((point.value for point in job.perplexity), default=None)
        facts.append(
            ("accuracy", f"{last_held_out(job)}, at best {figures.held_out(best, lowest)}")
        )
    shown = ", ".join(
        f"{name} {value}" for name, value in job.params.items() if _is_beside(job, name, value)
    )
    if shown:
        facts.append(("with", shown))
    return facts


def _is_beside(job: Job, name: str, value: object) -> bool:
    if name in NOT_BESIDE or value is None:
        return False
    if job.type != "train" or name in ALWAYS_BESIDE:
        return True
    return name in USUAL and value != USUAL[name]


def job_facts(job: Job) -> list[Fact]:
    """All there is to say of a job."""
    took = None
    if job.started_at is not None and job.finished_at is not None:
        took = job.finished_at - job.started_at
    sign, tone = STATE_SIGNS[job.state]
    facts: list[Fact] = [
        ("id", job.id),
        ("state", f"{sign} {job.state}", tone),
        ("message", job.message),
        ("created", instant(job.created_at)),
        ("started", instant(job.started_at)),
        ("took", figures.seconds(took)),
    ]
    if job.error:
        facts.append(("error", job.error, "bad"))
    facts += [(f"{name}", str(value)) for name, value in job.params.items()]
    facts += [
        (f"→ {name}", str(value)) for name, value in job.result.items() if name not in IN_WINDOW
    ]
    return facts
