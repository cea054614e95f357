"""Calls about the labelled texts that training reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from engine._client import uploads
from engine._client.ask import Asks
from engine._client.call import Call, nothing, query, reader, segment
from engine.schema import Dataset, DatasetPage, Task


class DatasetCalls:
    @Asks
    @staticmethod
    def datasets(
        tenant: str,
        q: str = "",
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> Call[DatasetPage]:
        params = query(q=q, limit=limit, cursor=cursor, sort=sort)
        return Call("GET", _path(tenant), reader(DatasetPage), params)

    @Asks
    @staticmethod
    def dataset(tenant: str, name: str) -> Call[Dataset]:
        return Call("GET", _path(tenant, name), reader(Dataset))

    @Asks
    @staticmethod
    def put_dataset(
        tenant: str,
        name: str,
        path: Path,
        text: str = "text",
        label: str = "label",
        task: Task = "classify",
        text_pair: str = "text_pair",
        map: Mapping[str, str] | None = None,
    ) -> Call[Dataset]:
        """Stream a .jsonl, .json or .csv file, or one with .gz; columns `text` and `label`, and
        `text_pair` where `task` reads two texts; labels are called what `map` says of them. To
        generate is learnt from a .txt too, and from "text", or "prompt" and "completion"."""
        return Call(
            "PUT",
            _path(tenant, name),
            reader(Dataset),
            query(
                format=uploads.dataset_format(path),
                text=text,
                label=label,
                task=None if task == "classify" else task,
                text_pair=None if text_pair == "text_pair" else text_pair,
                map=json.dumps(dict(map)) if map else None,
            ),
            chunks=uploads.file_chunks(path),
            content_type="application/octet-stream",
            slow=True,
        )

    @Asks
    @staticmethod
    def remove_dataset(tenant: str, name: str) -> Call[None]:
        """Raises Conflict while a training needs it."""
        return Call("DELETE", _path(tenant, name), nothing)


def _path(tenant: str, name: str | None = None) -> str:
    whole = f"/v1/tenants/{segment(tenant)}/datasets"
    return whole if name is None else f"{whole}/{segment(name)}"
