"""Everything that a store writes, as acts that can be repeated on one home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from store import sums
from store.backbone_files import BackboneFiles
from store.backup import back_up
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.places import Places
from store.rows import DomainRow
from store.tables import TableFiles
from store.traffic_files import TrafficFiles
from tests.store.homes import add_vplm, put_dataset, put_table

Act = Callable[[Places, Catalogue, int], None]


def create(places: Places, catalogue: Catalogue, number: int) -> None:
    add_vplm(places, catalogue, f"n{number}", number + 1000)


def upload_dataset(places: Places, catalogue: Catalogue, number: int) -> None:
    put_dataset(places, catalogue, f"d{number}", f"text {number}")


def replace_dataset(places: Places, catalogue: Catalogue, number: int) -> None:
    before = {row.name: row for row in catalogue.datasets.all()}.get("again")
    put_dataset(places, catalogue, "again", f"text {number}")
    if before is not None:
        DatasetFiles(places.datasets).remove(before.path_name)


def upload_corpus(places: Places, catalogue: Catalogue, number: int) -> None:
    info = CorpusFiles(places.corpora).put("reviews", [f"corpus {number}\n".encode()])
    catalogue.domains.change("reviews", corpus_bytes=info.bytes, corpus_lines=info.lines)


def create_domain(places: Places, catalogue: Catalogue, number: int) -> None:
    CorpusFiles(places.corpora).put(f"domain{number}", [b"first\n"])
    row = DomainRow(f"domain{number}", "general", 0, "empty", None, 6, 1, {}, 0.0)
    catalogue.domains.add(row)


def publish_table(places: Places, catalogue: Catalogue, number: int) -> None:
    epoch = catalogue.domains.get("reviews").epoch
    tables = TableFiles(places.tables)
    # What an attempt before this one left is in nobody's way.
    tables.remove("reviews", epoch + 1)
    put_table(places, "reviews", epoch + 1)
    catalogue.domains.change("reviews", epoch=epoch + 1)
    tables.remove("reviews", epoch)


def save_traffic(places: Places, catalogue: Catalogue, number: int) -> None:
    TrafficFiles(places.tables).put("reviews", {"hits": np.arange(number)})


def claim_traffic(places: Places, catalogue: Catalogue, number: int) -> None:
    """What was counted before backbones were told apart becomes one's own."""
    before = TrafficFiles(places.tables)
    before.put("general", {"hits": np.arange(number)})
    TrafficFiles(places.tables, f"{number:064x}").take("general", before)


def import_backbone(places: Places, catalogue: Catalogue, number: int) -> None:
    source = places.root.parent / "checkpoint" / "config.json"
    BackboneFiles(places.backbones).put("6" * 64, "other", [source])


def save_checkpoint(places: Places, catalogue: Catalogue, number: int) -> None:
    sums.write_whole(places.root / "training" / "train-1.checkpoint", f"step {number}".encode())


def remove_vplm(places: Places, catalogue: Catalogue, number: int) -> None:
    adapter = add_vplm(places, catalogue, f"gone{number}", number + 5000)
    catalogue.vplms.remove(f"acme/gone{number}")
    catalogue.adapters.remove(adapter)
    BlobStore(places.blobs).delete(adapter)


def remove_dataset(places: Places, catalogue: Catalogue, number: int) -> None:
    row = put_dataset(places, catalogue, f"gone{number}", f"text {number}")
    catalogue.datasets.remove("acme", row.name)
    DatasetFiles(places.datasets).remove(row.path_name)


def remove_domain(places: Places, catalogue: Catalogue, number: int) -> None:
    name = f"gone{number}"
    CorpusFiles(places.corpora).put(name, [b"first\n"])
    put_table(places, name, 1)
    TrafficFiles(places.tables).put(name, {"hits": np.arange(number)})
    catalogue.domains.add(DomainRow(name, "general", 1, "ready", None, 6, 1, {}, 0.0))
    catalogue.domains.remove(name)
    TableFiles(places.tables).remove(name)
    CorpusFiles(places.corpora).remove(name)


def remove_backbone(places: Places, catalogue: Catalogue, number: int) -> None:
    source = places.root.parent / "checkpoint" / "config.json"
    BackboneFiles(places.backbones).put("7" * 64, "gone", [source])
    BackboneFiles(places.backbones).remove("7" * 64)


def collect_garbage(places: Places, catalogue: Catalogue, number: int) -> None:
    blobs = BlobStore(places.blobs)
    blobs.put({"down": np.full((4, 5), number + 9000, np.float32)}, {})
    blobs.collect(catalogue.blob_ids, grace=0)


def make_backup(places: Places, catalogue: Catalogue, number: int) -> None:
    back_up(places, places.root.parent / "backup")


ACTS: tuple[Act, ...] = (
    create,
    upload_dataset,
    replace_dataset,
    upload_corpus,
    create_domain,
    publish_table,
    save_traffic,
    claim_traffic,
    import_backbone,
    save_checkpoint,
    remove_vplm,
    remove_dataset,
    remove_domain,
    remove_backbone,
    collect_garbage,
    make_backup,
)


def debris(root: Path) -> list[Path]:
    return list(root.rglob(".tmp-*"))
