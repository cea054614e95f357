"""What the demo is made of, as assets/demo/manifest.json says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.client import Damaged, assets_dir


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """A node to build; the root has no parent and exists already."""

    name: str
    parent: str | None
    corpus: Path


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """Rows to train on, and rows to measure on that training never sees, as JSONL."""

    train: Path
    test: Path | None
    labels: tuple[str, ...]
    domain: str


@dataclass(frozen=True, slots=True)
class TextPlan:
    """A text that a generator of `domain` learns, and how one begins."""

    text: Path
    domain: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`domains` in an order in which every parent comes before its children."""

    domains: tuple[DomainPlan, ...]
    dataset: DatasetPlan
    generator: TextPlan


def read_manifest(folder: Path | None = None) -> Manifest:
    """The manifest in `folder`. Raises Damaged if it is missing or does not make sense."""
    folder = folder or assets_dir() / "demo"
    try:
        document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return Manifest(
            _domains(document["domains"], folder),
            _dataset(document, folder),
            _generator(document["generator"], folder),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"The demo's manifest in {folder} cannot be used: {error}.",
            remedy="Install the package again.",
        ) from error


def _domains(listed: list[dict[str, Any]], folder: Path) -> tuple[DomainPlan, ...]:
    waiting = [DomainPlan(one["name"], one["parent"], folder / one["corpus"]) for one in listed]
    ordered: list[DomainPlan] = []
    while waiting:
        known = {None, "general", *(one.name for one in ordered)}
        ready = [one for one in waiting if one.parent in known]
        if not ready:
            raise ValueError(f"the parent of domain {waiting[0].name!r} is not listed")
        ordered += ready
        waiting = [one for one in waiting if one not in ready]
    return tuple(ordered)


def _dataset(document: dict[str, Any], folder: Path) -> DatasetPlan:
    listed = document["dataset"]
    test = listed.get("test")
    return DatasetPlan(
        train=folder / listed["file"],
        test=folder / test if test else None,
        labels=tuple(listed["labels"]),
        domain=listed["domain"],
    )


def _generator(listed: dict[str, Any], folder: Path) -> TextPlan:
    return TextPlan(folder / listed["text"], listed["domain"], listed["prompt"])


def read_rows(path: Path) -> list[tuple[str, str]]:
    """Text and label of each row of a JSONL file."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [(row["text"], row["label"]) for row in rows]
