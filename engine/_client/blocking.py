"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx2

from engine._client import calls
from engine._client.call import Call, Stream, error_of
from engine._client.link import MAX_EVENT, RECONNECT_S, Link
from engine._client.uploads import Texts
from engine.config import Paths
from engine.errors import EngineNotRunning
from engine.schema import (
    Adapter,
    AdapterCheck,
    AdapterPage,
    ClassifyResponse,
    CorpusReceipt,
    DatasetReceipt,
    Domain,
    DomainEpochs,
    DomainTree,
    Event,
    Job,
    JobAccepted,
    JobPage,
    Miss,
    Mode,
    ModelList,
    NgramPage,
    Quota,
    RebuildCost,
    RebuildRequest,
    Slot,
    SlotMap,
    SpanFeed,
    Status,
    Tenant,
    TenantCreated,
    TenantPage,
    Trace,
    TrainRequest,
    Version,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
)

T = TypeVar("T")


class Client:
    """Calls the engine over its socket, or over `url` with a `key`; usable from several threads.

    `socket` wins over `paths`, which wins over the default place. `timeout` is in seconds and
    bounds each wait of a call; uploads and bulk creation may take ten minutes, streams any time.
    Every failure is an HmiError; EngineNotRunning if nobody answers.
    """

    def __init__(
        self,
        socket: Path | None = None,
        *,
        url: str | None = None,
        key: str | None = None,
        paths: Paths | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._link = Link.to(socket, url, key, paths, timeout)
        transport = self._link.transport()
        self._http = httpx2.Client(transport=transport, **self._link.client_options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _send(self, call: Call[T]) -> T:
        with self._link.speaking():
            answer = self._http.request(
                call.method,
                call.path,
                params=dict(call.params),
                headers=call.headers,
                content=call.content if call.chunks is None else call.chunks,
                timeout=self._link.timeout_of(call),
            )
        return call.result(answer.status_code, answer.content)

    def _follow(self, stream: Stream[T]) -> Generator[T, None, None]:
        with (
            self._link.speaking(),
            self._http.sse(
                stream.path,
                headers=stream.headers,
                timeout=self._link.stream_timeout,
                max_event_size=MAX_EVENT,
            ) as source,
        ):
            if source.response.status_code >= 400:
                raise error_of(source.response.status_code, source.response.read())
            for event in source:
                yield stream.read(event.data)

    # -- the engine ----------------------------------------------------------------------------

    def livez(self) -> bool:
        """Whether an engine answers; False if none runs."""
        try:
            return self._send(calls.livez())
        except EngineNotRunning:
            return False

    def readyz(self) -> tuple[bool, list[str]]:
        """Whether it can serve, and if not, why not."""
        return self._send(calls.readyz())

    def version(self) -> Version:
        return self._send(calls.version())

    def status(self) -> Status:
        """Device, host, tiers, queue, rates, domains and jobs at this moment."""
        return self._send(calls.status())

    def metrics(self) -> str:
        """The Prometheus exposition."""
        return self._send(calls.metrics())

    def trace(self, seconds: float = 30.0) -> Trace:
        """What worked when in the last `seconds`, for ui.perfetto.dev; only over the socket."""
        return self._send(calls.trace(seconds))

    def spans(self, after: int | None = None, limit: int = 1024) -> SpanFeed:
        """The newest spans, or those that are new since a feed whose `last` was `after`."""
        return self._send(calls.spans(after, limit))

    def slots(self, first: int = 1, limit: int = 1024) -> SlotMap:
        """What is in the device's slots from `first` on, by heat; at most 4,096 at once."""
        return self._send(calls.slots(first, limit))

    def slot(self, number: int) -> Slot:
        """What is in one slot, and whose it is. NotFound."""
        return self._send(calls.slot(number))

    def stop(self) -> None:
        """Ask the engine to end cleanly; only over the socket."""
        return self._send(calls.stop())

    def events(self, last_id: int | None = None) -> Generator[Event, None, None]:
        """Events after `last_id` (from now on if None), until the engine ends."""
        return self._follow(calls.events(last_id))

    # -- tenants -------------------------------------------------------------------------------

    def tenants(
        self, q: str = "", limit: int = 100, cursor: str | None = None, sort: str | None = None
    ) -> TenantPage:
        return self._send(calls.tenants(q, limit, cursor, sort))

    def tenant(self, name: str) -> Tenant:
        return self._send(calls.tenant(name))

    def create_tenant(
        self, name: str, weight: float = 1.0, quota: Quota | None = None
    ) -> TenantCreated:
        """The answer holds the key, which is never shown again."""
        return self._send(calls.create_tenant(name, weight, quota))

    def change_tenant(
        self, name: str, weight: float | None = None, quota: Quota | None = None
    ) -> Tenant:
        """None leaves a value as it is."""
        return self._send(calls.change_tenant(name, weight, quota))

    def remove_tenant(self, name: str) -> None:
        """Removes its vPLMs and datasets as well."""
        return self._send(calls.remove_tenant(name))

    def rotate_key(self, name: str) -> TenantCreated:
        """A new key; the old one stops working at once."""
        return self._send(calls.rotate_key(name))

    # -- domains -------------------------------------------------------------------------------

    def domains(self) -> DomainTree:
        return self._send(calls.domains())

    def domain(self, name: str) -> Domain:
        return self._send(calls.domain(name))

    def create_domain(self, name: str, parent: str = "general") -> Domain:
        return self._send(calls.create_domain(name, parent))

    def change_domain(
        self,
        name: str,
        parent: str | None = None,
        update: str | None = None,
        miss_rate: float | None = None,
        min_lookups: int | None = None,
        cooldown_s: float | None = None,
    ) -> Domain:
        """Move it below another parent, or say when it is to learn from its traffic by itself.

        What is None stays as it is.
        """
        return self._send(
            calls.change_domain(name, parent, update, miss_rate, min_lookups, cooldown_s)
        )

    def put_corpus(self, name: str, data: Texts) -> CorpusReceipt:
        """Stream text, a document a line; paths ending in .gz are sent decompressed."""
        return self._send(calls.put_corpus(name, data))

    def rebuild_domain(self, name: str, request: RebuildRequest | None = None) -> JobAccepted:
        """Build its table anew, after training its encoder if the request says so."""
        return self._send(calls.rebuild_domain(name, request))

    def rebuild_cost(self, name: str, request: RebuildRequest | None = None) -> RebuildCost:
        """What that rebuild would take; nothing is begun."""
        return self._send(calls.rebuild_cost(name, request))

    def epochs(self, name: str) -> DomainEpochs:
        """The tables that it has published, the newest first."""
        return self._send(calls.epochs(name))

    def ngrams(self, name: str, q: str = "", limit: int = 50) -> NgramPage:
        """The most used entries that a lookup in this domain sees."""
        return self._send(calls.ngrams(name, q, limit))

    def encoder_file(self, name: str) -> bytes:
        """The node's own n-gram encoder and bridge, a safetensors file."""
        return self._send(calls.encoder_file(name))

    def remove_domain(self, name: str) -> None:
        """Its children and vPLMs go to its parent."""
        return self._send(calls.remove_domain(name))

    # -- vPLMs ---------------------------------------------------------------------------------

    def vplms(
        self,
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        fuzzy: bool = False,
    ) -> VplmPage:
        """With `fuzzy`, where no id contains `q`, those that have its characters in order."""
        return self._send(calls.vplms(q, tenant, limit, cursor, sort, fuzzy))

    def vplm(self, id: str) -> Vplm:
        """`id` is tenant/name."""
        return self._send(calls.vplm(id))

    def create_vplm(self, request: VplmCreate) -> Vplm:
        return self._send(calls.create_vplm(request))

    def create_vplms(self, request: VplmBulkCreate) -> list[str]:
        """The ids of the new vPLMs."""
        return self._send(calls.create_vplms(request))

    def change_vplm(
        self,
        id: str,
        pin: bool | None = None,
        domain: str | None = None,
        mode: Mode | None = None,
        miss: Miss | Literal["engine"] | None = None,
    ) -> Vplm:
        """None leaves a value as it is; the miss policy "engine" is whatever the engine's is."""
        return self._send(calls.change_vplm(id, pin, domain, mode, miss))

    def remove_vplm(self, id: str) -> None:
        return self._send(calls.remove_vplm(id))

    # -- adapters ------------------------------------------------------------------------------

    def adapters(
        self,
        q: str = "",
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        unused: bool = False,
    ) -> AdapterPage:
        """All, or only those that no vPLM uses."""
        return self._send(calls.adapters(q, limit, cursor, sort, unused))

    def adapter(self, id: str) -> Adapter:
        return self._send(calls.adapter(id))

    def import_adapter(self, file: Path | bytes) -> Adapter:
        """Put a safetensors file into the store; one that is there already stays as it is."""
        return self._send(calls.import_adapter(file))

    def adapter_file(self, id: str) -> bytes:
        """Its safetensors file."""
        return self._send(calls.adapter_file(id))

    def verify_adapter(self, id: str) -> AdapterCheck:
        """Have its file read and hashed again."""
        return self._send(calls.verify_adapter(id))

    def remove_adapter(self, id: str) -> None:
        """Raises Conflict while a vPLM uses it."""
        return self._send(calls.remove_adapter(id))

    # -- datasets and jobs ---------------------------------------------------------------------

    def put_dataset(
        self, tenant: str, name: str, path: Path, text: str = "text", label: str = "label"
    ) -> DatasetReceipt:
        """Stream a .jsonl, .json or .csv file, or one with .gz; columns `text` and `label`."""
        return self._send(calls.put_dataset(tenant, name, path, text, label))

    def train(self, request: TrainRequest) -> JobAccepted:
        return self._send(calls.train(request))

    def jobs(
        self, limit: int = 100, cursor: str | None = None, state: str | None = None
    ) -> JobPage:
        """Newest first."""
        return self._send(calls.jobs(limit, cursor, state))

    def job(self, id: str) -> Job:
        return self._send(calls.job(id))

    def cancel_job(self, id: str) -> Job:
        return self._send(calls.cancel_job(id))

    def watch_job(self, id: str) -> Generator[Job, None, None]:
        """The job now and after each change, until it has ended.

        An interrupted stream is taken up again; raises EngineNotRunning if the engine is gone.
        """
        while True:
            with suppress(EngineNotRunning):
                for job in self._follow(calls.job_events(id)):
                    yield job
                    if job.ended:
                        return
            job = self.job(id)
            yield job
            if job.ended:
                return
            time.sleep(RECONNECT_S)

    # -- inference -----------------------------------------------------------------------------

    def classify(
        self,
        model: str,
        input: str | Iterable[str],
        mode: Mode | None = None,
        explain: bool = False,
    ) -> ClassifyResponse:
        """With `explain` the answer says where each token's row came from."""
        return self._send(calls.classify(model, input, mode, explain))

    def models(self) -> ModelList:
        return self._send(calls.models())
