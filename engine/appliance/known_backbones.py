"""The backbones that vPLMs may have, loaded or not, as far as their files say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.appliance.reference import Reference
from engine.config import DEFAULT_SPLIT, Settings
from engine.errors import BadInput, NotFound, Unavailable
from engine.model.adapters import AdapterShape
from engine.model.backbone import REFERENCE_BYTES_PER_PARAMETER, Backbone
from engine.model.checkpoint import BUNDLED_NAME, BUNDLED_SHA256, WEIGHTS, bundled_folder
from engine.size.shapes import ARENA_RANK, find_shape
from store.backbone_files import BackboneFiles
from store.backbone_rows import BackboneRows
from store.catalogue import Catalogue
from store.rows import BackboneRow


@dataclass(frozen=True, slots=True)
class KnownBackbone:
    """What creating, showing and training a vPLM takes to know of its backbone. `split` is k;
    `bytes` are those of its files, or of its weights where it was not imported."""

    name: str
    version: int | None
    origin: Literal["bundled", "imported", "folder"]
    family: str
    sha256: str
    layers: int
    split: int
    hidden: int
    parameters: int
    bytes: int
    folder: Path
    imported_at: float | None = None

    @property
    def id(self) -> str:
        """Such as "bert-base:1"; what was not imported has no version."""
        return self.name if self.version is None else f"{self.name}:{self.version}"

    @property
    def adapter_shape(self) -> AdapterShape:
        """Of the largest adapter that it takes."""
        return AdapterShape(self.layers - self.split, self.hidden, ARENA_RANK)

    @property
    def dedicated_bytes(self) -> int:
        """What a private copy of it takes on disk."""
        return self.parameters * REFERENCE_BYTES_PER_PARAMETER


class KnownBackbones:
    """The engine's own, the imported and the bundled one, by the sha256 of their weights.

    Read without a lock and replaced whole by `look`, which whoever imports or removes one calls.
    """

    def __init__(
        self, own: Backbone, rows: BackboneRows, files: BackboneFiles, *, given: bool
    ) -> None:
        """`given`: the engine's own was named by its folder or its name, it is not the bundled."""
        self._own, self._given = own, given
        self._rows, self._files = rows, files
        self._known: dict[str, KnownBackbone] = {}
        self.look()

    def look(self) -> None:
        """See which there are now."""
        found = [known_of(self._own, "folder" if self._given else "bundled")]
        found += [self._imported(row) for row in self._rows.all()]
        bundled = _bundled()
        found += [] if bundled is None else [bundled]
        known: dict[str, KnownBackbone] = {}
        for each in found:
            # One that was imported is known by its name and version, whichever way it is served.
            if each.sha256 not in known or each.origin == "imported":
                known[each.sha256] = each
        self._known = known

    def all(self) -> list[KnownBackbone]:
        """The engine's own first."""
        return list(self._known.values())

    def find(self, sha256: str) -> KnownBackbone | None:
        return self._known.get(sha256)

    def get(self, sha256: str) -> KnownBackbone:
        """Unavailable, with what to do, if there is none with these weights."""
        found = self._known.get(sha256)
        if found is None:
            raise Unavailable(
                f"The backbone that it was made for ({sha256[:12] or 'unknown'}) is not here.",
                remedy="Import it again (hmi backbone import DIR); hmi backbone ls lists those "
                "that are here.",
                code="backbone_missing",
            )
        return found

    def named(self, id: str) -> KnownBackbone:
        """`name[:version]`, the newest without a version. NotFound."""
        at = Reference.of(id)
        for each in self._known.values():
            if at.owner is None and each.name == at.name and at.version in (None, each.version):
                return each
        raise NotFound(
            f'There is no backbone "{id}".',
            remedy="hmi backbone ls lists them; hmi backbone import DIR adds one.",
        )

    def _imported(self, row: BackboneRow) -> KnownBackbone:
        folder = self._files.folder(row.sha256, row.name)
        own = self._own if row.sha256 == self._own.checkpoint.sha256 else None
        return KnownBackbone(
            row.name,
            row.version,
            "imported",
            row.family,
            row.sha256,
            row.layers,
            row.split if own is None else own.split,
            row.hidden,
            _parameters(folder, row) if own is None else own.parameters,
            row.bytes,
            folder,
            row.imported_at,
        )


def known_of(backbone: Backbone, origin: Literal["bundled", "folder"] = "folder") -> KnownBackbone:
    """One that is loaded."""
    checkpoint, shape = backbone.checkpoint, backbone.shape
    return KnownBackbone(
        checkpoint.name,
        None,
        origin,
        str(checkpoint.config["model_type"]),
        checkpoint.sha256,
        shape.layers,
        backbone.split,
        shape.hidden,
        backbone.parameters,
        (checkpoint.folder / WEIGHTS).stat().st_size,
        checkpoint.folder,
    )


def _parameters(folder: Path, row: BackboneRow) -> int:
    try:
        return find_shape(str(folder)).parameters
    except BadInput:
        # Its files are damaged, which whoever loads it is told. Most of its bytes were weights.
        return row.bytes // REFERENCE_BYTES_PER_PARAMETER


def _bundled() -> KnownBackbone | None:
    """As its package says; its weights are compared with their sum when they are loaded."""
    try:
        folder = bundled_folder()
        shape = find_shape(str(folder))
        size = (folder / WEIGHTS).stat().st_size
        family = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (NotFound, BadInput, OSError, ValueError):
        return None
    return KnownBackbone(
        BUNDLED_NAME,
        None,
        "bundled",
        str(family),
        BUNDLED_SHA256,
        shape.layers,
        DEFAULT_SPLIT,
        shape.hidden,
        shape.parameters,
        size,
        folder,
    )


def chosen_backbone(
    settings: Settings, catalogue: Catalogue, files: BackboneFiles
) -> tuple[Path | None, int]:
    """The folder that --backbone names, or that of the imported one that it names, and how many of
    its layers come from tables. None: the bundled one. StoreError if an imported one is damaged."""
    chosen, split = settings.backbone, settings.split
    if chosen is None or chosen.is_dir():
        return chosen, split or DEFAULT_SPLIT
    name, _, version = str(chosen).partition(":")
    for row in catalogue.backbones.all():
        if row.name == name and version in ("", str(row.version)):
            files.check(row.sha256, row.name)
            return files.folder(row.sha256, row.name), split or row.split
    return chosen, split or DEFAULT_SPLIT
