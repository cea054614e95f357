"""What a catalogue refers to. It may be an earlier version's, whose tables are fewer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from store.migrations import MIGRATIONS


@dataclass(frozen=True, slots=True)
class Known:
    """`tables` are (domain, epoch), `datasets` (path name, sha256), `backbones` (sha256, name);
    `corpora` are the domains that have one. `steps` are those of the schema."""

    blobs: frozenset[str]
    tables: frozenset[tuple[str, int]]
    datasets: frozenset[tuple[str, str]]
    backbones: frozenset[tuple[str, str]]
    corpora: frozenset[str]
    steps: tuple[str, ...]


def known_to(db: Database) -> Known:
    """What the catalogue refers to, as of one moment."""
    db.execute("BEGIN")
    try:
        tables = set(db.table_names())

        def rows(table: str, sql: str) -> list[tuple[str, ...]]:
            return list(db.execute(sql).fetchall()) if table in tables else []

        # Before backbones were told apart, a domain's own row said what it knew.
        told = "knowledge" if "knowledge" in tables else "domains"
        name = "domain" if told == "knowledge" else "name"
        encoders = rows(told, f"select encoder from {told} where encoder is not null")
        epochs = rows(told, f"select {name}, epoch from {told} where epoch > 0")
        corpora = rows("domains", "select name from domains where corpus_bytes > 0")
        datasets = rows("datasets", "select path_name, sha256 from datasets")
        backbones = rows("backbones", "select sha256, name from backbones")
        adapters = rows("adapters", "select id from adapters")
        return Known(
            blobs=frozenset(row[0] for row in (*adapters, *encoders)),
            tables=frozenset((name, int(epoch)) for name, epoch in epochs),
            datasets=frozenset((name, digest) for name, digest in datasets),
            backbones=frozenset((digest, name) for digest, name in backbones),
            corpora=frozenset(row[0] for row in corpora),
            steps=tuple(step.name for step in MIGRATIONS.applied(db)),
        )
    finally:
        db.execute("ROLLBACK")
