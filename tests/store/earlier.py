"""Catalogues as earlier versions wrote them. The files in `schemas` are dumps of empty catalogues
that the store of the commit that brought their last step made; an upgrade begins there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.sums import sum_of

_DOMAINS = """
    create temp view domains_now as
    select d.*, coalesce(k.epoch, 0) as epoch, coalesce(k.state, 'empty') as state, k.encoder,
        coalesce(k.params, '{}') as params
    from now.domains as d left join now.knowledge as k on k.domain = d.name and k.backbone = ''
"""
"""As they were when a domain knew something for one backbone alone."""

SCHEMAS = sorted(Path(__file__).with_name("schemas").glob("*.sql"))


def age(catalogue: Path, schema: Path) -> None:
    """Make of the catalogue what a version with that schema would have written of it."""
    for leftover in catalogue.parent.glob(f"{catalogue.name}-*"):
        leftover.unlink()
    sum_of(catalogue).unlink()
    now = catalogue.rename(catalogue.with_name("now.db"))
    with closing(sqlite3.connect(catalogue)) as old:
        old.executescript(schema.read_text())
        old.execute("attach ? as now", [str(now)])
        old.execute(_DOMAINS)
        for (table,) in old.execute(
            "select name from main.sqlite_master where type = 'table' and name not like '\\_%' "
            "escape '\\' and name not like 'sqlite\\_%' escape '\\'"
        ).fetchall():
            source = ("temp", "domains_now") if table == "domains" else ("now", table)
            there = [name for name, *_ in _columns(old, source[1], source[0])]
            kept = [
                (name, f'"{name}"' if name in there else "''")
                for name, needed in _columns(old, table, "main")
                if name in there or needed
            ]
            names, values = (", ".join(each) for each in zip(*kept, strict=True))
            old.execute(
                f'insert into main."{table}" ({names}) select {values} from {".".join(source)}'
            )
        old.commit()
        old.execute("pragma journal_mode = wal")
    now.unlink()


def steps(schema: Path) -> int:
    """How many steps it has had."""
    return schema.read_text().count('INSERT INTO "_sqlite_migrations"')


def _columns(db: sqlite3.Connection, table: str, where: str) -> list[tuple[str, bool]]:
    """Names, and whether a row must have a value."""
    found = db.execute(f"pragma {where}.table_info('{table}')").fetchall()
    return [(name, bool(needed) and default is None) for _, name, _, needed, default, _ in found]
