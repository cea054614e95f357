"""Calls about the store's adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine._client import folders, uploads
from engine._client.ask import Asks
from engine._client.call import Call, nothing, query, reader, segment
from engine.schema import Adapter, AdapterCheck, AdapterPage

FILES = (
    "adapter_config.json",
    "adapter.safetensors",
    "hmi_head.safetensors",
    "adapter_model.safetensors",
)
"""Of a folder; the last one is PEFT's, so that it can be told why it is refused."""


class AdapterCalls:
    @Asks
    @staticmethod
    def adapters(
        q: str = "",
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        unused: bool = False,
    ) -> Call[AdapterPage]:
        """All, or only those that no vPLM uses."""
        alone = "true" if unused else None
        params = query(q=q, limit=limit, cursor=cursor, sort=sort, unused=alone)
        return Call("GET", "/v1/adapters", reader(AdapterPage), params)

    @Asks
    @staticmethod
    def adapter(id: str) -> Call[Adapter]:
        return Call("GET", f"/v1/adapters/{segment(id)}", reader(Adapter))

    @Asks
    @staticmethod
    def import_adapter(file: Path | bytes) -> Call[Adapter]:
        """Put a safetensors file into the store; one that is there already stays as it is."""
        return Call(
            "POST",
            "/v1/adapters",
            reader(Adapter),
            chunks=[file] if isinstance(file, bytes) else uploads.file_chunks(file),
            content_type="application/octet-stream",
            slow=True,
        )

    @Asks
    @staticmethod
    def adapter_file(id: str) -> Call[bytes]:
        """Its safetensors file."""
        return Call("GET", f"/v1/adapters/{segment(id)}/file", bytes)

    @Asks
    @staticmethod
    def adapterhub_folder(id: str) -> Call[bytes]:
        """What AdapterHub's load_adapter takes, a tar archive; see engine.client.unpack_folder."""
        return Call("GET", f"/v1/adapters/{segment(id)}/adapterhub", bytes)

    @Asks
    @staticmethod
    def import_adapterhub(folder: Path, labels: Sequence[str] = ()) -> Call[Adapter]:
        """Take a folder that AdapterHub's save_adapter wrote; `labels` are those of a new head."""
        return Call(
            "POST",
            "/v1/adapters:adapterhub",
            reader(Adapter),
            {"label": list(labels)} if labels else {},
            content=folders.packed(folder, FILES),
            content_type="application/x-tar",
            slow=True,
        )

    @Asks
    @staticmethod
    def verify_adapter(id: str) -> Call[AdapterCheck]:
        """Have its file read and hashed again."""
        path = f"/v1/adapters/{segment(id)}/verify"
        return Call("POST", path, reader(AdapterCheck), asks=True)

    @Asks
    @staticmethod
    def remove_adapter(id: str) -> Call[None]:
        """Raises Conflict while a vPLM uses it."""
        return Call("DELETE", f"/v1/adapters/{segment(id)}", nothing)
