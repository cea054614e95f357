"""Calls about backbones: which there are, in and out of the catalogue."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path

from engine.appliance.calls import Calls
from engine.appliance.core import Core
from engine.appliance.starting import Reference
from engine.errors import BadInput, Conflict, NotFound
from engine.model.backbone import load_backbone
from engine.model.checkpoint import WEIGHTS, Checkpoint, open_checkpoint
from engine.schema import Backbone, BackboneImport, BackboneList
from engine.schema.base import NAME_PATTERN
from store.errors import StoreError
from store.rows import BackboneRow

_FILES = (
    "config.json",
    WEIGHTS,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
"""What belongs to a checkpoint; anything else in its folder stays where it is."""


class BackboneCalls(Calls):
    def backbones(self) -> BackboneList:
        """The one that serves first."""
        core, tables = self._core, _tables(self._core)
        rows = core.catalogue.backbones.all()
        known = [_imported(core, row, tables) for row in rows]
        if all(not each.serving for each in known):
            known.append(_own(core, core.backbone.checkpoint, tables))
        bundled = _bundled()
        if bundled is not None and bundled.sha256 not in {each.sha256 for each in known}:
            known.append(_own(core, bundled, tables))
        return BackboneList(data=sorted(known, key=lambda each: (not each.serving, each.id)))

    def backbone(self, id: str) -> Backbone:
        at = Reference.of(id)
        for each in self.backbones().data:
            if each.name == at.name and at.version in (None, each.version):
                return each
        raise NotFound(f'There is no backbone "{id}".', remedy="hmi backbone ls lists them.")

    def import_backbone(self, request: BackboneImport) -> Backbone:
        """Copy a checkpoint into the store, once it has been loaded whole.

        NotFound, BadInput or Damaged if it is none that this engine could serve.
        """
        core = self._core
        folder = Path(request.path).expanduser()
        if not folder.is_absolute():
            raise BadInput(
                f"{request.path} is not a whole path.",
                remedy="Give one that begins with /, for the engine runs somewhere else.",
            )
        checkpoint = open_checkpoint(folder)
        core.catalogue.backbones.check_new(checkpoint.sha256)
        layers = int(checkpoint.config.get("num_hidden_layers") or checkpoint.config["n_layer"])
        split = max(1, layers // 2) if request.split is None else request.split
        # Once through: every weight there, a tokenizer that opens, a shape that is known.
        loaded = load_backbone(folder, split=split)
        row = BackboneRow(
            name=request.name or _name_of(folder),
            version=0,
            sha256=checkpoint.sha256,
            family=str(checkpoint.config["model_type"]),
            layers=loaded.shape.layers,
            hidden=loaded.shape.hidden,
            split=split,
            bytes=sum((folder / name).stat().st_size for name in _FILES if _has(folder, name)),
            imported_at=time.time(),
        )
        del loaded
        with core.changing:
            core.catalogue.backbones.check_new(row.sha256)
            sources = [folder / name for name in _FILES if _has(folder, name)]
            core.backbone_files.put(row.sha256, row.name, sources)
            try:
                entered = core.catalogue.backbones.add(row)
            except BaseException:
                core.backbone_files.remove(row.sha256)
                raise
        return _imported(core, entered, _tables(core))

    def remove_backbone(self, id: str) -> None:
        """Conflict while it serves, or vPLMs have adapters for it."""
        core = self._core
        at = Reference.of(id)
        with core.changing:
            row = core.catalogue.backbones.get(at.name, at.version)
            users = core.catalogue.backbones.users(row.sha256)
            if row.sha256 == core.backbone.checkpoint.sha256:
                raise Conflict(
                    f'Backbone "{row.id}" serves.', remedy="Start the engine with another first."
                )
            if users:
                raise Conflict(
                    f'{users} vPLMs have adapters for backbone "{row.id}".',
                    remedy="Remove those vPLMs first; hmi vplm show says what one is made of.",
                )
            core.catalogue.backbones.remove(row)
            core.backbone_files.remove(row.sha256)


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _name_of(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9._-]", "-", folder.name.lower()).strip("-._")[:63]
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise BadInput(
            f"{folder.name!r} makes no name.", remedy="Give one with --name, such as bert-base."
        )
    return name


def _tables(core: Core) -> dict[str, list[str]]:
    """The domains that have a table, by the sha256 of the backbone that it was made for."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in core.catalogue.domains.known():
        if row.epoch:
            found[row.backbone].append(row.name)
    return found


def _imported(core: Core, row: BackboneRow, tables: dict[str, list[str]]) -> Backbone:
    return Backbone(
        id=row.id,
        name=row.name,
        version=row.version,
        origin="imported",
        family=row.family,
        sha256=row.sha256,
        layers=row.layers,
        split=row.split,
        hidden=row.hidden,
        bytes=row.bytes,
        folder=str(core.backbone_files.folder(row.sha256, row.name)),
        serving=row.sha256 == core.backbone.checkpoint.sha256,
        vplms=core.catalogue.backbones.users(row.sha256),
        domains=tables.get(row.sha256, []),
        imported_at=row.imported_at,
    )


def _bundled() -> Checkpoint | None:
    try:
        return open_checkpoint(None)
    except (NotFound, StoreError):
        return None


def _own(core: Core, checkpoint: Checkpoint, tables: dict[str, list[str]]) -> Backbone:
    """One that is not in the store: the bundled one, or what --backbone named by its folder."""
    serving = checkpoint.sha256 == core.backbone.checkpoint.sha256
    config = checkpoint.config
    return Backbone(
        id=checkpoint.name,
        name=checkpoint.name,
        version=None,
        origin="folder" if core.settings.backbone is not None and serving else "bundled",
        family=str(config["model_type"]),
        sha256=checkpoint.sha256,
        layers=int(config.get("num_hidden_layers") or config["n_layer"]),
        split=core.backbone.split if serving else core.settings.split,
        hidden=int(config.get("hidden_size") or config["n_embd"]),
        bytes=(checkpoint.folder / WEIGHTS).stat().st_size,
        folder=str(checkpoint.folder),
        serving=serving,
        vplms=core.catalogue.backbones.users(checkpoint.sha256),
        domains=tables.get(checkpoint.sha256, []),
    )
