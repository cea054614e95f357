"""Small corpora and tables, written by the real builder into the real store."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.knowledge.build import BuildPlan, BuildReport, build_table
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.rows import row_bytes
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

WORDS = [
    *("the", "a", "good", "bad", "film", "movie", "was", "is", "very", "not"),
    *("dull", "great", "plot", "order", "money"),
]

Publish = Callable[..., BuildReport]


@pytest.fixture
def corpus() -> list[str]:
    return list(CORPUS)


@pytest.fixture(scope="session")
def lines() -> list[str]:
    """A corpus long enough to train an encoder on."""
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) for _ in range(160)]


@pytest.fixture
def tables(tmp_path: Path) -> TableFiles:
    return TableFiles(tmp_path / "tables")


@pytest.fixture
def publish(tables: TableFiles, backbone: Backbone, encoder: NgramEncoder) -> Publish:
    """Build and commit a table: publish(domain, epoch, lines, inherited, **plan).

    `inherited` is a view or what the tree says is inherited; `made_by` another encoder;
    further words are the plan's.
    """

    def build(
        domain: str,
        epoch: int,
        lines: list[str],
        inherited: TableView | Knowledge | None = None,
        alpha: float = 1.0,
        budget: int = 1 << 20,
        threshold: float = 0.0,
        made_by: NgramEncoder = encoder,
        **traffic: Any,
    ) -> BuildReport:
        view = inherited.view if isinstance(inherited, Knowledge) else inherited
        plan = BuildPlan(alpha, budget, threshold, **traffic)
        with tables.writer(domain, epoch, (row_bytes(backbone.shape.hidden),), np.int8) as writer:
            report = build_table(
                writer,
                lines,
                len(lines),
                backbone,
                made_by,
                view or TableView(domain, (), backbone.shape.hidden),
                plan,
                lambda share, message: None,
                lambda: False,
            )
            writer.commit()
        return report

    return build


def domain_row(
    name: str,
    parent: str | None,
    epoch: int = 0,
    encoder: str | None = None,
    **params: float,
) -> DomainRow:
    """`params` are those that the node was last rebuilt with."""
    return DomainRow(
        name=name,
        parent=parent,
        epoch=epoch,
        state="ready",
        encoder=encoder,
        corpus_bytes=0,
        corpus_lines=0,
        params=params,
        created_at=0.0,
    )


@pytest.fixture
def row() -> Callable[..., DomainRow]:
    return domain_row
