"""Domains of a description: their places, their texts, their tables."""

from __future__ import annotations

from collections.abc import Iterator

from engine.client import Client, Conflict, corpus_digest
from engine.schema import Domain, RebuildRequest
from hmi_tui import figures
from hmi_tui.description.document import Description, DomainEntry
from hmi_tui.description.steps import Done, Sign, Step, shift

ROOT = "general"


def domain_steps(client: Client, wanted: Description, known: dict[str, Domain]) -> Iterator[Step]:
    """A parent before its children."""
    for name in _in_order(wanted, known):
        entry = wanted.domains[name]
        yield _Plan(client, wanted, name, entry, known.get(name)).step()


class _Plan:
    """What one domain takes."""

    def __init__(
        self,
        client: Client,
        wanted: Description,
        name: str,
        entry: DomainEntry,
        now: Domain | None,
    ) -> None:
        self.name, self.entry, self.now = name, entry, now
        self.corpus = wanted.corpus_of(name)
        self.uploads = bool(self.corpus) and self._text_differs(client)
        self.moves = now is not None and entry.parent not in (None, now.parent)
        has_text = bool(self.corpus) or (now is not None and now.corpus_bytes > 0)
        table = self._table(client)
        waits = table is not None and table.state == "rebuilding"
        unbuilt = table is None or table.epoch == 0
        self.rebuilds = (
            entry.rebuild is not False and has_text and (self.uploads or (unbuilt and not waits))
        )

    def step(self) -> Step:
        told = [*self._place(), *self._text()]
        if self.rebuilds:
            told.append("its table is built")
        if self.now is not None and not told:
            return Step("=", "domain", self.name)
        sign: Sign = "+" if self.now is None else "~"
        return Step(sign, "domain", self.name, ", ".join(told), apply=self._apply)

    def _table(self, client: Client) -> Domain | None:
        """The domain as the kind of vPLM knows it that the table is for."""
        how = self.entry.rebuild
        if self.now is None or not isinstance(how, RebuildRequest) or how.kind is None:
            return self.now
        return client.domain(self.name, how.kind)

    def _place(self) -> list[str]:
        if self.now is None:
            return [f"below {self.entry.parent or ROOT}"]
        return [shift("parent", self.now.parent, self.entry.parent)] if self.moves else []

    def _text(self) -> list[str]:
        if not self.uploads:
            return []
        files = ", ".join(path.name for path in self.corpus)
        total = figures.size(sum(path.stat().st_size for path in self.corpus))
        before = self.now is not None and self.now.corpus_bytes > 0
        return [f"{'another ' if before else ''}text {files} ({total})"]

    def _text_differs(self, client: Client) -> bool:
        if self.now is None or not self.now.corpus_bytes:
            return True
        size, sha256 = corpus_digest(self.corpus)
        return size != self.now.corpus_bytes or client.corpus(self.name).sha256 != sha256

    def _apply(self, client: Client) -> Done:
        if self.now is None:
            client.create_domain(self.name, self.entry.parent or ROOT)
        elif self.moves:
            client.change_domain(self.name, parent=self.entry.parent)
        warnings: list[str] = []
        if self.uploads:
            warnings = client.put_corpus(self.name, self.corpus).warnings
        if not self.rebuilds:
            return Done(note=" ".join(warnings))
        how = self.entry.rebuild
        request = how if isinstance(how, RebuildRequest) else RebuildRequest()
        try:
            return Done(job=client.rebuild_domain(self.name, request).id, note=" ".join(warnings))
        except Conflict as error:
            # The one before would publish a table of the old text; it is for the operator to end.
            return Done(note=error.detail)


def _in_order(wanted: Description, known: dict[str, Domain]) -> list[str]:
    """Names, a parent before its children."""
    done: list[str] = []
    waiting = dict(wanted.domains)
    there = set(known) | {ROOT}
    while waiting:
        ready = [
            name
            for name, entry in waiting.items()
            if (entry.parent or ROOT) in there and (entry.parent or ROOT) not in waiting
        ]
        if not ready:
            name, entry = next(iter(waiting.items()))
            ring = entry.parent in waiting
            raise wanted.fault(
                f"domains.{name}.parent",
                f'"{entry.parent}" hangs, over others, below "{name}" itself.'
                if ring
                else f'there is no domain "{entry.parent}", here or in the engine.',
                "Hang it below another." if ring else "Describe it too, or correct the name.",
            )
        for name in ready:
            there.add(name)
            del waiting[name]
        done += ready
    return done
