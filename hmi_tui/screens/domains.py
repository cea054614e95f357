"""Domains: the tree of tables, what each node holds, and its most used n-grams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from engine.client import Call, assets_dir, calls
from engine.schema import Domain, Job, Kind, NgramEntry, Status
from hmi_tui.paging import Page, Query
from hmi_tui.screens.domain_actions import DomainActions
from hmi_tui.screens.epochs import Epochs
from hmi_tui.screens.facts import Facts
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.domain_rows import DOMAINS, DomainRow, domain_facts, ngram_facts, tree_rows
from hmi_tui.widgets.fact_frame import FactFrame
from hmi_tui.widgets.fact_list import FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.progress_line import ProgressLine
from hmi_tui.widgets.tables import NGRAMS

NGRAMS_SHOWN = 200
REREAD_TICKS = 6


class DomainsScreen(DomainActions):
    MODE = "domains"
    ABOUT = (
        "The tree of domains. A node's table holds only what differs from its parent; what it "
        "does not hold it inherits. Give a node text, then rebuild it: a new epoch is published "
        "while serving goes on. Classifiers and generators have tables of their own: <kind:g> "
        "shows the others'."
    )
    CSS_PATH = assets_dir() / "styles" / "domains.tcss"
    AUTO_FOCUS = "#domains-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "create_domain", "New", tooltip="New domain under the chosen one"),
        Binding("u", "upload_corpus", "Upload", tooltip="Upload text for the domain"),
        Binding("r", "rebuild", "Rebuild", tooltip="Build the domain's next epoch"),
        Binding("e", "change_domain", "Change", show=False, tooltip="Its place and update policy"),
        Binding("v", "epochs", "Epochs", show=False, tooltip="Compare two epochs"),
        Binding(
            "g", "kind", "Kind", show=False, tooltip="The tables of generators, or of classifiers"
        ),
        Binding("w", "watch", "Watch", show=False, tooltip="Watch the rebuild in the trainer"),
        Binding("x", "delete_domain", "Delete", show=False, tooltip="Delete the domain"),
        Binding("d", "describe", "Describe", show=False, tooltip="All that is known of the row"),
        Binding(
            "left",
            "fold(True)",
            "Fold",
            show=False,
            tooltip="Hide what is under the domain",
            id="fold",
        ),
        Binding("right", "fold(False)", "Unfold", show=False, tooltip="Show it again", id="unfold"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.nodes: Listing[DomainRow] = Listing(
            "Domains",
            DOMAINS,
            lambda r: r.domain.name,
            id="domains",
            empty="No domains are known yet.",
        )
        self.ngrams: Listing[NgramEntry] = Listing(
            "Most used n-grams",
            NGRAMS,
            lambda n: n.text,
            id="ngrams",
            empty="No table yet.\n<upload_corpus:u> uploads text for this domain, "
            "<rebuild:r> builds its table.",
        )
        self.facts = FactList()
        self.folded: set[str] = set()
        self._rows: list[DomainRow] = []
        self._chosen: tuple[Kind, str, int] | None = None
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        facts = FactFrame(self.facts, id="node-facts")
        node = Container(facts, self.ngrams, id="node")
        yield Container(self.nodes, node, id="domains-area")
        yield ProgressLine(id="rebuild")

    def see(self, snapshot: Snapshot) -> None:
        if snapshot.status is None:
            return
        self._show_tree(self._domains(snapshot.status))
        self._show_rebuilds(snapshot.status.jobs)
        self._ticks += 1
        if snapshot.ready and self._ticks % REREAD_TICKS == 0:
            self.ngrams.table.reread()

    def _domains(self, status: Status) -> list[Domain]:
        """The tree with the tables of the kind that is shown."""
        if self.kind == "classifier":
            return status.domains
        return [] if status.generators is None else status.generators.domains

    def _show_tree(self, domains: list[Domain]) -> None:
        q = self.nodes.table.q
        matching = [domain for domain in domains if q in domain.name] if q else domains
        rows = tree_rows(matching, self.folded, self.nodes.table.sort)
        if rows != self._rows or not self.nodes.table.loaded:
            self._rows = rows
            self.nodes.table.show_rows(rows)

    def _show_rebuilds(self, jobs: list[Job]) -> None:
        rebuilds = [job for job in jobs if job.type == "rebuild"]
        line = self.query_one(ProgressLine)
        line.set_class(bool(rebuilds), "-on")
        if rebuilds:
            here = [job for job in rebuilds if self.domain and job.subject == self.domain.name]
            line.job = (here or rebuilds)[0]

    @on(PagedView.Changed, "#domains-table")
    def _filtered(self) -> None:
        status = self.hmi.feed.latest.status
        if status is not None:
            self._show_tree(self._domains(status))

    @on(PagedView.Moved, "#domains-table")
    def _node_chosen(self, event: PagedView.Moved) -> None:
        row: Any = event.row
        if row is None:
            return
        domain: Domain = row.domain
        frame = self.query_one("#node-facts")
        frame.border_title = domain.name
        self.facts.tell(domain_facts(domain))
        chosen = (domain.kind, domain.name, domain.epoch)
        if self._chosen != chosen:
            self._chosen = chosen
            self._show_ngrams(domain)

    def _show_ngrams(self, domain: Domain) -> None:
        client, name = self.client, domain.name

        async def read(query: Query) -> Page[NgramEntry]:
            page = await client.ngrams(name, query.q, NGRAMS_SHOWN, domain.kind)
            return Page(arranged(page.data, NGRAMS, query.sort), len(page.data), None)

        self.ngrams.retitle(f"Most used n-grams of {name}")
        self.ngrams.table.show_source(read)

    @on(PagedView.Chosen, "#domains-table")
    def _node_entered(self) -> None:
        self.ngrams.table.focus()

    def call(self) -> Call[Any]:
        if self.ngrams.has_focus_within and self.domain is not None:
            return calls.ngrams(self.domain.name, self.ngrams.table.q, NGRAMS_SHOWN, self.kind)
        return calls.domains(self.kind)

    def action_describe(self) -> None:
        entry, domain = self.ngrams.table.current, self.domain
        if self.ngrams.has_focus_within and entry is not None:
            self.app.push_screen(Facts(entry.text, ngram_facts(entry), entry.text))
        elif domain is not None:
            self.app.push_screen(Facts(domain.name, domain_facts(domain), domain.name))

    def action_fold(self, shut: bool) -> None:
        domain = self.domain
        status = self.hmi.feed.latest.status
        if domain is None or status is None:
            return
        has_children = any(other.parent == domain.name for other in self._domains(status))
        if shut and has_children and domain.name not in self.folded:
            self.folded.add(domain.name)
        elif shut and domain.parent is not None:
            self.nodes.table.point_at(domain.parent)
        elif not shut:
            self.folded.discard(domain.name)
        self._show_tree(self._domains(status))

    def action_kind(self) -> None:
        """The other kind's tables of the same tree."""
        status = self.hmi.feed.latest.status
        if status is None or status.generators is None:
            self.notify("This engine has no generators' backbone.")
            return
        self.kind = "generator" if self.kind == "classifier" else "classifier"
        self.nodes.retitle("Domains" if self.kind == "classifier" else "Domains, for generators")
        self._show_tree(self._domains(status))

    def action_epochs(self) -> None:
        if self.domain is not None:
            self.app.push_screen(Epochs(self.client, self.domain.name, self.kind))

    async def action_watch(self) -> None:
        job = self.query_one(ProgressLine).job
        status = self.hmi.feed.latest.status
        running = [] if status is None else [one.id for one in status.jobs if one.type == "rebuild"]
        if job is not None and job.id in running:
            await self.hmi.follow(job.id)
        else:
            self.notify("No rebuild is under way; <rebuild:r> starts one.")
