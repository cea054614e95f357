"""Everything that a store writes, as acts that can be repeated on one home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from store import sums
from store.backbone_files import BackboneFiles
from store.backup import back_up
from store.catalogue import Catalogue
from store.places import Places
from store.rows import DomainRow
from store.tables import TableFiles
from store.texts import CorpusFiles, DatasetFiles
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


def import_backbone(places: Places, catalogue: Catalogue, number: int) -> None:
    source = places.root.parent / "checkpoint" / "config.json"
    BackboneFiles(places.backbones).put("6" * 64, "other", [source])


def save_checkpoint(places: Places, catalogue: Catalogue, number: int) -> None:
    sums.write_whole(places.root / "training" / "train-1.checkpoint", f"step {number}".encode())


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
    import_backbone,
    save_checkpoint,
    make_backup,
)


def debris(root: Path) -> list[Path]:
    return list(root.rglob(".tmp-*"))
