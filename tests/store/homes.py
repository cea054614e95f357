"""A home with a file of every kind, made by the store alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from store import sums
from store.backbone_files import BackboneFiles
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.places import Places
from store.rows import AdapterRow, BackboneRow, DatasetRow, DomainRow, TenantRow, VplmRow
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

VPLMS = 3
WEIGHTS = "5" * 64


def make_home(root: Path, catalogue: Catalogue) -> Places:
    """Three vPLMs of one tenant, a domain with corpus, table, traffic and encoder, a dataset, an
    imported backbone and an unfinished training."""
    places = Places(root)
    catalogue.tenants.add(TenantRow("acme", 1.0, {}, "digest", 0.0))
    catalogue.domains.add(DomainRow("general", None, 0, "empty", None, 0, 0, {}, 0.0))
    for number in range(VPLMS):
        add_vplm(places, catalogue, f"v{number}", number)
    blobs = BlobStore(places.blobs)
    encoder = blobs.put({"encoder": np.full((4, 4), 9, np.float32)}, {})
    put_table(places, "reviews", 1)
    TrafficFiles(places.tables).put("reviews", {"hits": np.arange(9)})
    corpus = CorpusFiles(places.corpora).put("reviews", [b"a good film\na bad film\n"])
    catalogue.domains.add(
        DomainRow("reviews", "general", 1, "ready", encoder.id, corpus.bytes, corpus.lines, {}, 0.0)
    )
    put_dataset(places, catalogue, "data", "a good film")
    source = root.parent / "checkpoint"
    source.mkdir(exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        (source / name).write_text(f"what {name} holds")
    size = BackboneFiles(places.backbones).put(WEIGHTS, "small", sorted(source.iterdir()))
    catalogue.backbones.add(BackboneRow("small", 0, WEIGHTS, "bert", 2, 8, 1, size, 0.0))
    sums.write_whole(root / "training" / "train-1.checkpoint", b"half a training")
    return places


def add_vplm(places: Places, catalogue: Catalogue, name: str, value: float) -> str:
    """A vPLM with an adapter of its own; the adapter's id."""
    blob = BlobStore(places.blobs).put({"down": np.full((40, 50), value, np.float32)}, {})
    row = VplmRow(
        tenant="acme",
        name=name,
        kind="classifier",
        domain="general",
        labels=("a", "b"),
        mode="plot",
        rank=4,
        adapter=blob.id,
        version=1,
        pinned=False,
        accuracy=None,
        created_at=0.0,
    )
    adapter = AdapterRow(blob.id, blob.bytes, 4, "both", 2, "random", {}, 0.0)
    catalogue.vplms.add(row, adapters=[adapter])
    return blob.id


def put_table(places: Places, domain: str, epoch: int) -> None:
    with TableFiles(places.tables).writer(domain, epoch, (8,), np.float16) as writer:
        writer.append(np.arange(50), np.full((50, 8), epoch, np.float16))
        writer.set("counts", 2 * np.arange(50))
        writer.commit()


def put_dataset(places: Places, catalogue: Catalogue, name: str, text: str) -> DatasetRow:
    info = DatasetFiles(places.datasets).put("acme", name, [(text, "a")])
    row = DatasetRow("acme", name, 1, {"a": 1}, info.bytes, info.sha256, info.path_name, 0.0)
    catalogue.datasets.put(row)
    return row


def contents(places: Places) -> dict[str, bytes]:
    """Every file that lasts, by name; the catalogue's as SQLite has it, not byte by byte."""
    return {
        places.name(path): path.read_bytes()
        for path in sorted(places.root.rglob("*"))
        if path.is_file() and not path.name.startswith("catalogue.db") and path != places.lock
    }


def flip(path: Path, at: int = -1, bit: int = 0) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
