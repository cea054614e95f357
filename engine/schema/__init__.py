"""The documents that cross the API: what a request may say and what an answer holds.

Names are CONTRACT section 2's. Requests refuse unknown fields; answers ignore them, so that an
older client reads a newer engine. Bytes are integers, times seconds, instants Unix seconds.
"""

from __future__ import annotations

from engine.schema.adapters import Adapter, AdapterPage
from engine.schema.base import (
    MAX_COUNT,
    MAX_INPUTS,
    MAX_LABELS,
    NAME_PATTERN,
    Answer,
    JobState,
    Mode,
    Name,
    Request,
    Tier,
)
from engine.schema.domains import (
    CorpusReceipt,
    Domain,
    DomainCreate,
    DomainTree,
    NgramEntry,
    NgramPage,
    RebuildRequest,
)
from engine.schema.inference import (
    ClassifyRequest,
    ClassifyResponse,
    ModelCard,
    ModelList,
    Prediction,
    Timing,
    Usage,
)
from engine.schema.jobs import DatasetReceipt, Job, JobAccepted, JobPage, Point, TrainRequest
from engine.schema.status import (
    BackboneStatus,
    DeviceStatus,
    EngineStatus,
    Event,
    HostStatus,
    Problem,
    QueueStatus,
    Rates,
    Status,
    TierStatus,
    Version,
)
from engine.schema.tenants import (
    Quota,
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantPage,
    TenantPatch,
)
from engine.schema.vplms import (
    BulkCreated,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmSpec,
)

__all__ = [
    "MAX_COUNT",
    "MAX_INPUTS",
    "MAX_LABELS",
    "NAME_PATTERN",
    "Adapter",
    "AdapterPage",
    "Answer",
    "BackboneStatus",
    "BulkCreated",
    "ClassifyRequest",
    "ClassifyResponse",
    "CorpusReceipt",
    "DatasetReceipt",
    "DeviceStatus",
    "Domain",
    "DomainCreate",
    "DomainTree",
    "EngineStatus",
    "Event",
    "HostStatus",
    "Job",
    "JobAccepted",
    "JobPage",
    "JobState",
    "Mode",
    "ModelCard",
    "ModelList",
    "Name",
    "NgramEntry",
    "NgramPage",
    "Point",
    "Prediction",
    "Problem",
    "QueueStatus",
    "Quota",
    "Rates",
    "RebuildRequest",
    "Request",
    "Status",
    "Tenant",
    "TenantCreate",
    "TenantCreated",
    "TenantPage",
    "TenantPatch",
    "Tier",
    "TierStatus",
    "Timing",
    "TrainRequest",
    "Usage",
    "Version",
    "Vplm",
    "VplmBulkCreate",
    "VplmCreate",
    "VplmPage",
    "VplmPatch",
    "VplmSpec",
]
