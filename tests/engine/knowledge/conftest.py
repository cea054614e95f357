"""Small corpora and tables, written by the real builder into the real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.knowledge.build import BuildPlan, BuildReport, build_table
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from store.rows import DomainRow
from store.tables import TableFiles

CORPUS = [
    "the film was very good",
    "the film was very bad",
    "the movie is not very dull !",
    "my order is late , please refund my money",
    "the film was great and it was good .",
    "invoice late , money back please",
]

Publish = Callable[..., BuildReport]


@pytest.fixture
def corpus() -> list[str]:
    return list(CORPUS)


@pytest.fixture
def tables(tmp_path: Path) -> TableFiles:
    return TableFiles(tmp_path / "tables")


@pytest.fixture
def publish(tables: TableFiles, backbone: Backbone, encoder: NgramEncoder) -> Publish:
    """Build and commit a table: publish(domain, epoch, lines, inherited, **plan)."""

    def build(
        domain: str,
        epoch: int,
        lines: list[str],
        inherited: TableView | None = None,
        alpha: float = 1.0,
        budget: int = 1 << 20,
        threshold: float = 0.0,
    ) -> BuildReport:
        view = inherited or TableView(domain, (), backbone.shape.hidden)
        plan = BuildPlan(alpha, budget, threshold)
        with tables.writer(domain, epoch, (3, backbone.shape.hidden), np.float16) as writer:
            report = build_table(
                writer,
                lines,
                len(lines),
                backbone,
                encoder,
                view,
                plan,
                lambda share, message: None,
                lambda: False,
            )
            writer.commit()
        return report

    return build


def domain_row(name: str, parent: str | None, epoch: int = 0) -> DomainRow:
    return DomainRow(
        name=name,
        parent=parent,
        epoch=epoch,
        state="ready",
        encoder=None,
        corpus_bytes=0,
        corpus_lines=0,
        params={},
        created_at=0.0,
    )


@pytest.fixture
def row() -> Callable[..., DomainRow]:
    return domain_row
