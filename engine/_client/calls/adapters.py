"""Calls about the store's adapters."""

from __future__ import annotations

from pathlib import Path

from engine._client import uploads
from engine._client.ask import Asks
from engine._client.call import Call, nothing, query, reader, segment
from engine.schema import Adapter, AdapterCheck, AdapterPage


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
    def verify_adapter(id: str) -> Call[AdapterCheck]:
        """Have its file read and hashed again."""
        path = f"/v1/adapters/{segment(id)}/verify"
        return Call("POST", path, reader(AdapterCheck), asks=True)

    @Asks
    @staticmethod
    def remove_adapter(id: str) -> Call[None]:
        """Raises Conflict while a vPLM uses it."""
        return Call("DELETE", f"/v1/adapters/{segment(id)}", nothing)
