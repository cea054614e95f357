"""A domain's knowledge handed from the engine to the training process: as the files it lies in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors.torch import save

from engine.errors import Conflict
from engine.knowledge.encoder_file import load_hplm, pack_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.row_cache import RowCache
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.training.worker.messages import KnowledgeFiles
from store.errors import NotFound
from store.tables import TableFiles
from store.whole_files import write_whole

_ROW_CACHE = 32 << 20


def describe(knowledge: Knowledge, folder: Path) -> KnowledgeFiles:
    """What `open_knowledge` makes the same knowledge of. The encoder and bridge that serve now
    are written to `folder`, once."""
    tables = tuple((s.domain, s.epoch, s.encoder) for s in knowledge.view.segments)
    if knowledge.damage is not None:
        # Nobody may use it: all states are exact.
        about = (knowledge.domain, knowledge.epoch)
        return KnowledgeFiles(*about, (), None, "", knowledge.damage)
    parts = knowledge.encoder.fingerprint() + knowledge.bridge.fingerprint()
    fingerprint = hashlib.sha256(parts.encode()).hexdigest()
    path = folder / f"{fingerprint}.hplm"
    if not path.exists():
        write_hplm(Hplm(knowledge.encoder, knowledge.bridge), path)
    return KnowledgeFiles(
        knowledge.domain, knowledge.epoch, tables, path, fingerprint, knowledge.damage
    )


def write_hplm(hplm: Hplm, path: Path) -> None:
    """Whole or not at all."""
    tensors, metadata = pack_hplm(hplm, {})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(tensors, metadata))


def open_knowledge(files: KnowledgeFiles, tables: TableFiles, backbone: Backbone) -> Knowledge:
    """The knowledge that `files` describe. Conflict if a table has been replaced meanwhile."""
    hidden = backbone.shape.hidden
    if files.hplm is None:
        hplm = Hplm.untrained(backbone).freeze().to(backbone.device)
        view = TableView(files.domain, (), hidden)
        return Knowledge(files.domain, files.epoch, view, hplm.encoder, hplm.bridge, files.damage)
    segments = []
    for domain, epoch, encoder in files.tables:
        try:
            table = tables.open(domain, epoch)
        except NotFound as error:
            raise Conflict(
                f'The table of domain "{domain}" was replaced.', code="table_replaced"
            ) from error
        counts = np.asarray(table.arrays["counts"], dtype=np.int64)
        segments.append(Segment(domain, epoch, table.keys, table.rows, counts, encoder))
    hplm = load_hplm(files.hplm, backbone).to(backbone.device)
    return Knowledge(
        files.domain,
        files.epoch,
        TableView(files.domain, tuple(segments), hidden),
        hplm.encoder,
        hplm.bridge,
        None,
        RowCache(_ROW_CACHE, hidden).share(0),
    )


def identity(files: KnowledgeFiles) -> str:
    """What tells rows of this knowledge from those of any other."""
    return repr((files.tables, files.fingerprint))
