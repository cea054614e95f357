"""Calls about backbones."""

from __future__ import annotations

from pathlib import Path

from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, reader, segment
from engine.schema import Backbone, BackboneList


class BackboneCalls:
    @Asks
    @staticmethod
    def backbones() -> Call[list[Backbone]]:
        """The one that serves first."""
        return Call("GET", "/v1/backbones", _listed)

    @Asks
    @staticmethod
    def backbone(id: str) -> Call[Backbone]:
        """`id` is name, with :version for another than the newest."""
        return Call("GET", f"/v1/backbones/{segment(id)}", reader(Backbone))

    @Asks
    @staticmethod
    def import_backbone(
        folder: Path, name: str | None = None, split: int | None = None
    ) -> Call[Backbone]:
        """Have the engine copy a checkpoint from a folder of its machine."""
        body = json_body({"path": str(folder), "name": name, "split": split})
        return Call("POST", "/v1/backbones", reader(Backbone), content=body, slow=True)

    @Asks
    @staticmethod
    def remove_backbone(id: str) -> Call[None]:
        """Raises Conflict while it serves or a vPLM has an adapter for it."""
        return Call("DELETE", f"/v1/backbones/{segment(id)}", nothing, slow=True)


def _listed(body: bytes) -> list[Backbone]:
    return BackboneList.model_validate_json(body).data
