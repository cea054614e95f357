"""Calls about backbones: which there are, in and out of the catalogue."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path

from engine.appliance.calls import Calls
from engine.appliance.core import Core
from engine.appliance.encoder_training import checkpoint_of
from engine.appliance.known_backbones import KnownBackbone
from engine.appliance.memory import owners_of
from engine.appliance.reference import Reference
from engine.errors import BadInput, Conflict
from engine.model.backbone import load_backbone
from engine.model.checkpoint import WEIGHTS, open_checkpoint
from engine.schema import Backbone, BackboneImport, BackboneList, BackboneState
from engine.schema.base import NAME_PATTERN
from store import sums
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
        """The engine's own first."""
        core = self._core
        tables = _tables(core)
        known = [_told(core, each, tables) for each in core.known.all()]
        return BackboneList(data=sorted(known, key=lambda each: (not each.serving, each.id)))

    def backbone(self, id: str) -> Backbone:
        core = self._core
        return _told(core, core.known.named(id), _tables(core))

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
            core.known.look()
        return self.backbone(entered.id)

    def remove_backbone(self, id: str) -> None:
        """Conflict while it is the engine's own, vPLMs have it, or starting points are made for it;
        one that is loaded is let go of."""
        core = self._core
        at = Reference.of(id)
        with core.changing:
            row = core.catalogue.backbones.get(at.name, at.version)
            users = core.catalogue.backbones.users(row.sha256)
            starters = core.catalogue.backbones.starters(row.sha256)
            if row.sha256 == core.backbones.own.sha256:
                raise Conflict(
                    f'Backbone "{row.id}" serves as the engine\'s own.',
                    remedy="Start the engine with another first.",
                )
            if users:
                raise Conflict(
                    f'{users} vPLMs have adapters for backbone "{row.id}".',
                    remedy="Remove those vPLMs first; hmi vplm ls shows which they are.",
                )
            if starters:
                raise Conflict(
                    f'{starters} starting points are made for backbone "{row.id}".',
                    remedy="Remove those first (hmi starter rm).",
                )
            core.backbones.drop(row.sha256)
            core.catalogue.backbones.remove(row)
            core.known.look()
            core.backbone_files.remove(row.sha256)
            self._forget_tables(row.sha256)

    def _forget_tables(self, sha256: str) -> None:
        """What domains know for a backbone that is gone. A crash leaves files that are swept."""
        core = self._core
        for known in core.catalogue.domains.forget(sha256):
            core.shelves.traffic(sha256).remove(known.name)
            sums.remove(checkpoint_of(core, known.name, sha256))
            if known.epoch:
                core.tables.remove(known.name, known.epoch)
            if known.encoder is not None:
                core.leftovers.forget(known.encoder)


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


def _told(core: Core, known: KnownBackbone, tables: dict[str, list[str]]) -> Backbone:
    stack = core.backbones.get(known.sha256)
    state: BackboneState = "unloaded"
    if stack is not None:
        state = "own" if stack.own else "loaded"
    elif core.backbones.loading(known.sha256):
        state = "loading"
    return Backbone(
        id=known.id,
        name=known.name,
        version=known.version,
        origin=known.origin,
        family=known.family,
        sha256=known.sha256,
        layers=known.layers,
        split=known.split,
        hidden=known.hidden,
        bytes=known.bytes,
        folder=str(known.folder),
        serving=state == "own",
        state=state,
        memory_bytes=0 if stack is None else sum(owners_of(stack).values()),
        vplms=core.catalogue.backbones.users(known.sha256),
        domains=tables.get(known.sha256, []),
        imported_at=known.imported_at,
    )
