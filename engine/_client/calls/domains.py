"""Calls about domains: the tree, their texts, tables and encoders."""

from __future__ import annotations

from engine._client import uploads
from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, query, reader, segment
from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainEpochs,
    DomainTree,
    JobAccepted,
    Kind,
    NgramPage,
    RebuildCost,
    RebuildRequest,
)


class DomainCalls:
    @Asks
    @staticmethod
    def domains(kind: Kind | None = None) -> Call[DomainTree]:
        """The tree; `kind` is whose backbone's, here and below: the classifiers' for None."""
        return Call("GET", "/v1/domains", reader(DomainTree), query(kind=kind))

    @Asks
    @staticmethod
    def domain(name: str, kind: Kind | None = None) -> Call[Domain]:
        return Call("GET", f"/v1/domains/{segment(name)}", reader(Domain), query(kind=kind))

    @Asks
    @staticmethod
    def create_domain(name: str, parent: str = "general") -> Call[Domain]:
        body = json_body({"name": name, "parent": parent})
        return Call("POST", "/v1/domains", reader(Domain), content=body)

    @Asks
    @staticmethod
    def change_domain(
        name: str,
        parent: str | None = None,
        update: str | None = None,
        miss_rate: float | None = None,
        min_lookups: int | None = None,
        cooldown_s: float | None = None,
    ) -> Call[Domain]:
        """Move it below another parent, or say when it is to learn from its traffic by itself.

        What is None stays as it is.
        """
        policy = {"update": update, "miss_rate": miss_rate, "min_lookups": min_lookups}
        body = json_body({"parent": parent, **policy, "cooldown_s": cooldown_s})
        return Call("PATCH", f"/v1/domains/{segment(name)}", reader(Domain), content=body)

    @Asks
    @staticmethod
    def corpus(name: str) -> Call[CorpusReceipt]:
        """How large its text is, and its checksum."""
        return Call("GET", f"/v1/domains/{segment(name)}/corpus", reader(CorpusReceipt))

    @Asks
    @staticmethod
    def put_corpus(name: str, data: uploads.Texts) -> Call[CorpusReceipt]:
        """Stream text, a document a line; paths ending in .gz are sent decompressed."""
        return Call(
            "PUT",
            f"/v1/domains/{segment(name)}/corpus",
            reader(CorpusReceipt),
            chunks=uploads.corpus(data),
            content_type="text/plain; charset=utf-8",
            slow=True,
            amend=lambda error: uploads.in_its_file(error, data),
        )

    @Asks
    @staticmethod
    def rebuild_domain(name: str, request: RebuildRequest | None = None) -> Call[JobAccepted]:
        """Build its table anew, after training its encoder if the request says so."""
        body = json_body((request or RebuildRequest()).model_dump())
        path = f"/v1/domains/{segment(name)}/rebuild"
        return Call("POST", path, reader(JobAccepted), content=body)

    @Asks
    @staticmethod
    def rebuild_cost(name: str, request: RebuildRequest | None = None) -> Call[RebuildCost]:
        """What that rebuild would take; nothing is begun."""
        body = json_body((request or RebuildRequest()).model_dump())
        path = f"/v1/domains/{segment(name)}/rebuild/cost"
        return Call("POST", path, reader(RebuildCost), content=body, asks=True)

    @Asks
    @staticmethod
    def epochs(name: str, kind: Kind | None = None) -> Call[DomainEpochs]:
        """The tables that it has published, the newest first."""
        path = f"/v1/domains/{segment(name)}/epochs"
        return Call("GET", path, reader(DomainEpochs), query(kind=kind))

    @Asks
    @staticmethod
    def ngrams(
        name: str, q: str = "", limit: int = 50, kind: Kind | None = None
    ) -> Call[NgramPage]:
        """The most used entries that a lookup in this domain sees."""
        params = query(q=q, limit=limit, kind=kind)
        return Call("GET", f"/v1/domains/{segment(name)}/ngrams", reader(NgramPage), params)

    @Asks
    @staticmethod
    def encoder_file(name: str, kind: Kind | None = None) -> Call[bytes]:
        """The node's own n-gram encoder and bridge, a safetensors file."""
        return Call("GET", f"/v1/domains/{segment(name)}/encoder", bytes, query(kind=kind))

    @Asks
    @staticmethod
    def remove_domain(name: str) -> Call[None]:
        """Its children and vPLMs go to its parent."""
        return Call("DELETE", f"/v1/domains/{segment(name)}", nothing, slow=True)
