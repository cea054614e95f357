"""The forms of the Load mode: begin a run, and change the rate of the one under way."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field as Value

from engine.schema import LoadRequest, Request
from hmi_tui.screens.form import Form, Values
from hmi_tui.typed_files import file_at
from hmi_tui.widgets.field import Field


class RateChange(Request):
    rate: float = Value(gt=0, le=1e5)


def load_form(before: LoadRequest, begin: Callable[[LoadRequest, str], None]) -> Form:
    """Begins a run like the one `before`, where nothing else is filled in."""

    async def submit(values: Values) -> str:
        given = {name: value for name, value in values.items() if value and name != "name"}
        request = LoadRequest.model_validate(given)
        if request.text is not None:
            path = file_at(request.text).absolute()
            request = request.model_copy(update={"text": str(path)})
        begin(request, values["name"])
        return f"Sending {request.rate:g} requests a second."

    def known(name: str) -> str:
        value = getattr(before, name)
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    fields = (
        Field("rate", "Requests/s", known("rate"), "may be changed while it runs"),
        Field("duration", "Seconds", known("duration"), "0 is until it is stopped"),
        Field("tenants", "Tenants", known("tenants"), "the first N; empty is all"),
        Field(
            "popularity",
            "Popularity",
            before.popularity,
            kind="choice",
            options=("uniform", "zipf"),
        ),
        Field("zipf_s", "Zipf exponent", known("zipf_s"), "larger: fewer are asked more"),
        Field("arrivals", "Arrivals", before.arrivals, kind="choice", options=("poisson", "gamma")),
        Field("cv", "Burstiness", known("cv"), "of gamma arrivals; 1 is poisson, 0 even"),
        Field("text", "Text file", known("text"), "a text a line; empty: the demo's", kind="file"),
        Field("slo_ms", "SLO, ms", known("slo_ms"), "count the answers within it"),
        Field("seed", "Seed", known("seed"), "decides everything random"),
        Field("name", "Name", hint="to tell kept runs apart; may be empty"),
    )
    return Form("Put load on the engine", fields, submit, "Start")


def rate_form(rate: float, change: Callable[[float], float]) -> Form:
    """Changes the rate of the run under way."""

    async def submit(values: Values) -> str:
        wanted = RateChange.model_validate({"rate": values["rate"]})
        return f"Sending {change(wanted.rate):g} requests a second from now on."

    field = Field("rate", "Requests/s", f"{rate:g}", "more than 0, up to 100,000")
    return Form("Change the rate", (field,), submit, "Change")
