"""The form that starts training: sends the data file, then the job."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.client import AsyncClient, BadInput
from engine.schema import TrainRequest
from hmi_tui import figures
from hmi_tui.hyperparameters import hyperparameters
from hmi_tui.label_map import label_map
from hmi_tui.screens.form import Form, Values
from hmi_tui.typed_files import file_at
from hmi_tui.widgets.field import Field

SUFFIXES = (".jsonl", ".json", ".csv")


def dataset_name(file_name: str) -> str:
    """A name for the dataset, from the file's: small letters, digits, . _ and - only."""
    name = file_name.lower().removesuffix(".gz")
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return re.sub(r"[^a-z0-9._-]+", "-", name).strip("._-")[:63] or "data"


def train_form(client: AsyncClient, vplm: str, accepted: Callable[[str], None]) -> Form:
    """Trains `vplm`; `accepted` gets the job's id."""

    async def submit(values: Values) -> str:
        tenant, slash, _ = values["vplm"].partition("/")
        if not slash:
            raise BadInput(
                f"{values['vplm']!r} names no vPLM.", remedy="Write TENANT/NAME; mode 2 lists them."
            )
        path = file_at(values["data"])
        chosen = {
            name: value
            for name, value in values.items()
            if name in TrainRequest.model_fields and value
        }
        request = TrainRequest.model_validate(chosen | {"dataset": dataset_name(path.name)})
        task = (await client.vplm(request.vplm)).task
        receipt = await client.put_dataset(
            tenant,
            request.dataset,
            path,
            text=values["text"],
            label=values["label"],
            task=task,
            text_pair=values["text_pair"],
            map=label_map(part for part in values["map"].split(",") if part.strip()),
        )
        job = await client.train(request)
        accepted(job.id)
        return f"Training {request.vplm} on {figures.many(receipt.rows, 'row')}."

    fields = (
        Field("vplm", "vPLM", vplm, "TENANT/NAME"),
        Field("data", "Data file", hint=".jsonl or .csv, or with .gz", kind="file"),
        Field("text", "Text column", "text"),
        Field("label", "Label column", "label"),
        Field("text_pair", "Pair column", "text_pair", "the second text, where two are read"),
        Field("map", "Map labels", hint="0=negative, 1=positive: where the file has other names"),
        *(
            Field(
                one.name,
                one.label,
                one.shown,
                one.about,
                kind="choice" if one.options or one.kind is bool else "text",
                options=one.options or (("no", "yes") if one.kind is bool else ()),
            )
            for one in hyperparameters()
        ),
    )
    return Form("Train a vPLM", fields, submit, "Train")
