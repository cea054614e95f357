"""The appliance as a tenant sees it: its own things, and nothing else is there.

What is another's is refused before anything is looked up, in the same words as what does not exist,
so that neither an answer nor the time it takes tells one from the other. Methods have the names
and parameters of the Port's; those that are missing here are not for tenants.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path

from engine.api.port import DatasetFormat
from engine.api.tenant_account import TenantAccount
from engine.errors import NotFound, Refused
from engine.schema import (
    Adapter,
    BulkCreated,
    ClassifyRequest,
    ClassifyResponse,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Created,
    Dataset,
    DatasetPage,
    EmbeddingsRequest,
    EmbeddingsResponse,
    Job,
    JobAccepted,
    JobPage,
    ModelList,
    PredictRequest,
    PredictResponse,
    PromoteRequest,
    Published,
    PublishRequest,
    RollbackRequest,
    Starter,
    StarterPage,
    StarterPublish,
    TagRequest,
    TagResponse,
    Task,
    TrainRequest,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmSpec,
    VplmVersions,
)
from store.adapter_rows import ADAPTERS
from store.job_rows import JOBS

_RANDOM = "random"


class TenantView(TenantAccount):
    """What a tenant has of the appliance, its account included."""

    __slots__ = ()

    # Its vPLMs.

    def vplms(
        self,
        q: str,
        tenant: str | None,
        sort: str | None,
        limit: int,
        cursor: str | None,
        fuzzy: bool = False,
    ) -> VplmPage:
        self._check_tenant(tenant or self._tenant)
        return self._appliance.vplms(q, self._tenant, sort, limit, cursor, fuzzy)

    def vplm(self, id: str) -> Vplm:
        self._check_vplm(id)
        return self._appliance.vplm(id)

    def create_vplm(self, request: VplmCreate) -> Created:
        self._check_spec(request)
        return self._appliance.create_vplm(request)

    def create_vplms(self, request: VplmBulkCreate) -> BulkCreated:
        self._check_spec(request)
        return self._appliance.create_vplms(request)

    def change_vplm(self, id: str, patch: VplmPatch) -> Vplm:
        self._check_vplm(id)
        if patch.pin is not None:
            raise Refused(
                "What stays in the device's memory is the operator's to say.",
                remedy="Leave pin out, and ask the operator.",
                code="pin_is_the_operators",
            )
        return self._appliance.change_vplm(id, patch)

    def remove_vplm(self, id: str) -> None:
        self._check_vplm(id)
        self._appliance.remove_vplm(id)

    def versions(self, id: str) -> VplmVersions:
        self._check_vplm(id)
        return self._appliance.versions(id)

    def roll_back(self, id: str, request: RollbackRequest) -> Published:
        self._check_vplm(id)
        return self._appliance.roll_back(id, request)

    def publish_adapter(self, id: str, request: PublishRequest) -> Published:
        self._check_vplm(id)
        self.adapter(request.adapter)
        return self._appliance.publish_adapter(id, request)

    def promote(self, id: str, request: PromoteRequest) -> Published:
        self._check_vplm(id)
        return self._appliance.promote(id, request)

    # What vPLMs start from and answer with.

    def starters(
        self, q: str, tenant: str | None, sort: str | None, limit: int, cursor: str | None
    ) -> StarterPage:
        self._check_tenant(tenant or self._tenant)
        page = self._appliance.starters(q, self._tenant, sort, limit, cursor)
        return page.model_copy(update={"data": [self._starter(one) for one in page.data]})

    def starter(self, id: str, tenant: str | None) -> Starter:  # noqa: ARG002  the Port's
        self._check_starter(id)
        return self._starter(self._appliance.starter(id, self._tenant))

    def publish_starter(self, request: StarterPublish) -> Starter:
        self._check_vplm(request.vplm.partition(":")[0])
        self._check_tenant(request.owner or self._tenant)
        own = request.model_copy(update={"owner": self._tenant})
        return self._appliance.publish_starter(own)

    def remove_starter(self, id: str) -> None:
        self._check_starter(id)
        self._appliance.remove_starter(id)

    def adapter(self, id: str) -> Adapter:
        found = self._appliance.adapter(id)
        users = [user for user in found.users if user.startswith(self._prefix)]
        kept_for = [user for user in found.kept_for if user.startswith(self._prefix)]
        if not users and not kept_for:
            raise ADAPTERS.missing((id,))
        origin = found.provenance
        if origin is not None and not origin.vplm.startswith(self._prefix):
            origin = None
        return found.model_copy(update={"users": users, "kept_for": kept_for, "provenance": origin})

    def adapter_file(self, id: str) -> Path:
        return self._appliance.adapter_file(self.adapter(id).id)

    def adapterhub_folder(self, id: str) -> bytes:
        return self._appliance.adapterhub_folder(self.adapter(id).id)

    # What they learn.

    def datasets(
        self, tenant: str, q: str, sort: str | None, limit: int, cursor: str | None
    ) -> DatasetPage:
        self._check_tenant(tenant)
        return self._appliance.datasets(tenant, q, sort, limit, cursor)

    def dataset(self, tenant: str, name: str) -> Dataset:
        self._check_tenant(tenant)
        return self._appliance.dataset(tenant, name)

    def put_dataset(
        self,
        tenant: str,
        name: str,
        chunks: Iterator[bytes],
        format: DatasetFormat,
        text: str,
        label: str,
        task: Task,
        pair: str,
        names: Mapping[str, str],
    ) -> Dataset:
        self._check_tenant(tenant)
        return self._appliance.put_dataset(
            tenant, name, chunks, format, text, label, task, pair, names
        )

    def remove_dataset(self, tenant: str, name: str) -> None:
        self._check_tenant(tenant)
        self._appliance.remove_dataset(tenant, name)

    def train(self, request: TrainRequest) -> JobAccepted:
        self._check_vplm(request.vplm)
        if request.resume is not None:
            self.job(request.resume)
        return self._appliance.train(request)

    def jobs(
        self, state: str | None, limit: int, cursor: str | None, tenant: str | None = None
    ) -> JobPage:
        self._check_tenant(tenant or self._tenant)
        return self._appliance.jobs(state, limit, cursor, self._tenant)

    def job(self, id: str) -> Job:
        found = self._appliance.job(id)
        if not found.subject.startswith(self._prefix):
            raise JOBS.missing((id,))
        return found

    def cancel_job(self, id: str) -> Job:
        return self._appliance.cancel_job(self.job(id).id)

    # What they answer.

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        self._check_vplm(request.model)
        return await self._appliance.classify(request)

    async def tag(self, request: TagRequest) -> TagResponse:
        self._check_vplm(request.model)
        return await self._appliance.tag(request)

    async def predict(self, request: PredictRequest) -> PredictResponse:
        self._check_vplm(request.model)
        return await self._appliance.predict(request)

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        self._check_vplm(request.model)
        return await self._appliance.embed(request)

    async def complete(self, request: CompletionRequest) -> Completion:
        self._check_vplm(request.model)
        return await self._appliance.complete(request)

    def complete_stream(self, request: CompletionRequest) -> AsyncGenerator[CompletionChunk, None]:
        self._check_vplm(request.model)
        return self._appliance.complete_stream(request)

    def models(self, tenant: str | None = None) -> ModelList:
        self._check_tenant(tenant or self._tenant)
        return self._appliance.models(self._tenant)

    def _check_starter(self, id: str) -> None:
        """The operator's have no owner in front."""
        if "/" in id and not id.startswith(self._prefix):
            raise NotFound(
                f'There is no starting point "{id}".', remedy="hmi starter ls lists them."
            )

    def _check_spec(self, spec: VplmSpec) -> None:
        self._check_tenant(spec.tenant)
        if spec.from_vplm is not None:
            self._check_vplm(spec.from_vplm)
        if spec.from_starter is not None:
            self._check_starter(spec.from_starter)
        if spec.adapter != _RANDOM:
            self.adapter(spec.adapter)

    def _starter(self, found: Starter) -> Starter:
        """Of one that the operator took from another tenant's vPLM, not from which."""
        if found.source.startswith(self._prefix):
            return found
        return found.model_copy(update={"source": ""})
