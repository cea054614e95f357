"""Calls about versions of vPLMs: what was published, back to an earlier one, over to another."""

from __future__ import annotations

from engine.appliance.made_for import name_of
from engine.appliance.models import perplexity_of, task_name
from engine.appliance.publishing import Publication, publish
from engine.appliance.quota import Allowance
from engine.appliance.starting import check_head, same_head
from engine.appliance.vplms import VplmCalls
from engine.errors import BadInput, Conflict
from engine.schema import (
    PromoteRequest,
    Published,
    PublishRequest,
    RollbackRequest,
    VplmVersion,
    VplmVersions,
)
from store.rows import AdapterRow, VplmRow


class VersionCalls(VplmCalls):
    def versions(self, id: str) -> VplmVersions:
        core = self._core
        row = core.catalogue.vplms.get(id)
        data: list[VplmVersion] = []
        for version in core.catalogue.versions.of(row.tenant, row.name):
            adapter = core.catalogue.adapters.get(version.adapter)
            data.append(
                VplmVersion(
                    version=version.version,
                    adapter=version.adapter,
                    rank=adapter.rank,
                    bytes=adapter.bytes,
                    accuracy=version.accuracy,
                    perplexity=perplexity_of(row.task, version.accuracy),
                    origin=version.origin,
                    source=version.source,
                    domain=adapter.metadata.get("domain", ""),
                    published_at=version.published_at,
                    serving=version.version == row.version,
                )
            )
        return VplmVersions(vplm=row.id, data=data, keeps=core.settings.keep_versions)

    def roll_back(self, id: str, request: RollbackRequest) -> Published:
        """A version that was is the newest again; requests under way end as they began."""
        core = self._core
        with core.changing:
            row = core.catalogue.vplms.get(id)
            old = core.catalogue.versions.get(row.tenant, row.name, request.version)
            if old.version == row.version:
                raise Conflict(
                    f'"{id}" is at version {row.version} already.',
                    remedy=f"hmi vplm versions {id} lists the others.",
                    code="version_serves",
                )
            made = core.catalogue.adapters.get(old.adapter)
            self._check_backbone(row, made.metadata.get("backbone_sha256", ""), old.id)
            return self._published(row, Publication(old.adapter, old.accuracy, "rollback", old.id))

    def publish_adapter(self, id: str, request: PublishRequest) -> Published:
        """An adapter of the store, an imported one say, is the vPLM's next version."""
        core = self._core
        with core.changing:
            row = core.catalogue.vplms.get(id)
            adapter = core.catalogue.adapters.get(request.adapter)
            check_head(adapter, len(row.labels), task_name(row.task))
            self._check_backbone(row, adapter.metadata.get("backbone_sha256", ""), adapter.id[:12])
            named = adapter.metadata.get("labels", "")
            if named and tuple(named.split("\n")) != row.labels:
                raise BadInput(
                    f"Adapter {adapter.id[:12]} tells {', '.join(named.splitlines())} apart, in "
                    f'that order; "{id}" has {", ".join(row.labels)}.',
                    remedy="Create a vPLM with the adapter's labels: hmi vplm create --adapter.",
                    code="labels_differ",
                )
            if not core.catalogue.holdings.uses(row.tenant, adapter.id):
                allowance = Allowance.of(core.catalogue, row.tenant)
                allowance.check(adapter.bytes, 0, "the adapter takes")
            source = f"adapter {adapter.id}"
            return self._published(row, Publication(adapter.id, None, "upload", source))

    def promote(self, id: str, request: PromoteRequest) -> Published:
        """A version of this vPLM is the next one of another of its tenant's; that one answers."""
        core = self._core
        with core.changing:
            row = core.catalogue.vplms.get(id)
            target = core.catalogue.vplms.get(f"{row.tenant}/{request.to}")
            if target.id == row.id:
                raise BadInput(
                    f'"{id}" cannot be promoted to itself.',
                    remedy=f"hmi vplm rollback {id} goes back to an earlier version.",
                )
            tasks = task_name(row.task), task_name(target.task)
            if target.labels != row.labels or not same_head(*tasks):
                raise BadInput(
                    f'"{row.id}" tells {", ".join(row.labels)} apart, "{target.id}" '
                    f"{', '.join(target.labels)}: its programs rely on those.",
                    remedy=f"Start another from it: hmi vplm create TENANT/NAME --from {row.id}.",
                    code="labels_differ",
                )
            self._check_backbone(target, row.backbone, row.id)
            number = row.version if request.version is None else request.version
            version = core.catalogue.versions.get(row.tenant, row.name, number)
            return self._published(
                target, Publication(version.adapter, version.accuracy, "promoted", version.id)
            )

    def _check_backbone(self, target: VplmRow, sha256: str, source: str) -> None:
        core = self._core
        if sha256 != target.backbone:
            raise BadInput(
                f'{source} is made for the backbone "{name_of(core, sha256)}", "{target.id}" has '
                f'"{name_of(core, target.backbone)}": the one means nothing on the other.',
                remedy="Train it on that backbone instead: hmi train "
                f"{target.id} DATA, with the same rows.",
                code="adapter_mismatch",
            )

    def _published(self, row: VplmRow, publication: Publication) -> Published:
        now = publish(self._core, row, publication)
        adapter = self._core.catalogue.adapters.get(now.adapter)
        return Published(**self._vplm(now).model_dump(), note=_note(now, adapter))


def _note(row: VplmRow, adapter: AdapterRow) -> str:
    made_in = adapter.metadata.get("domain", "")
    if row.mode == "exact" or made_in in ("", row.domain):
        return ""
    return (
        f'The adapter was made in domain "{made_in}" and is served in "{row.domain}" now, whose '
        "rows differ: it may be a little less accurate than it was."
    )
