"""The forms of the Adapters mode: in from a file, out to one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.client import AsyncClient, BadInput
from engine.schema import Adapter
from hmi_tui.screens.form import Form, Values
from hmi_tui.typed_files import file_at, new_file
from hmi_tui.widgets.field import Field


def import_form(client: AsyncClient, taken: Callable[[Adapter], None]) -> Form:
    """Puts a file into the store; `taken` gets what the store made of it."""

    async def submit(values: Values) -> str:
        adapter = await client.import_adapter(file_at(values["file"]))
        taken(adapter)
        return f"Imported adapter {adapter.id[:12]}; <new_vplm:n> makes a vPLM of it."

    field = Field("file", "File", hint="safetensors, as exported by an engine", kind="file")
    return Form("Import an adapter", (field,), submit, "Import")


def export_form(client: AsyncClient, adapter: str) -> Form:
    """Saves an adapter's file."""

    name = f"{adapter[:12]}.safetensors"

    async def submit(values: Values) -> str:
        path = new_file(values["file"], name)
        data = await client.adapter_file(adapter)
        try:
            await asyncio.to_thread(path.write_bytes, data)
        except OSError as error:
            raise BadInput(
                f"{path} cannot be written: {error.strerror}.", remedy="Choose another folder."
            ) from error
        return f"Saved {path}."

    field = Field("file", "File", name, kind="file")
    return Form(f"Export adapter {adapter[:12]}", (field,), submit, "Export")
