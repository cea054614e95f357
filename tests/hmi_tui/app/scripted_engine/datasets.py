"""What the engine in memory answers about datasets."""

from __future__ import annotations

from pathlib import Path

from engine.client import BadInput
from engine.schema import DatasetReceipt, Task
from tests.hmi_tui.app.scripted_engine.script import Script


class DatasetAnswers(Script):
    async def put_dataset(
        self,
        tenant: str,
        name: str,
        path: Path,
        text: str = "text",
        label: str = "label",
        task: Task = "classify",
        text_pair: str = "text_pair",
    ) -> DatasetReceipt:
        more = () if (task, text_pair) == ("classify", "text_pair") else (task, text_pair)
        self._answer("put_dataset", tenant, name, path, text, label, *more)
        if "bad" in name:
            raise BadInput(f'Line 1 has no column "{text}".', remedy="Name it in Text column.")
        return DatasetReceipt(tenant=tenant, name=name, rows=2, labels={"a": 1, "b": 1}, bytes=9)
