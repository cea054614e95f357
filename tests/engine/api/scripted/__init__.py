"""An appliance that answers as it is told to, so that the API is tested without a model.

A file a resource, as in engine.api.routes: its sample values, and the calls answered with them.
"""

from __future__ import annotations

from tests.engine.api.scripted.adapters import ADAPTER, AdapterAnswers
from tests.engine.api.scripted.backbones import BACKBONE, BackboneAnswers
from tests.engine.api.scripted.datasets import DATASET, DatasetAnswers
from tests.engine.api.scripted.domains import COST, DOMAIN, EPOCH, DomainAnswers
from tests.engine.api.scripted.engine import STATUS, EngineAnswers
from tests.engine.api.scripted.inference import InferenceAnswers
from tests.engine.api.scripted.jobs import JOB, JobAnswers
from tests.engine.api.scripted.keys import KEYS, KeyAnswers
from tests.engine.api.scripted.starters import STARTER, StarterAnswers
from tests.engine.api.scripted.storage import STORAGE, StorageAnswers
from tests.engine.api.scripted.tenants import TENANT, TenantAnswers
from tests.engine.api.scripted.trace import SLOT, SLOTS, SPANS, TRACE_EVENT, TraceAnswers
from tests.engine.api.scripted.versions import PUBLISHED, VERSIONS, VersionAnswers
from tests.engine.api.scripted.vplms import CREATED, VPLM, VplmAnswers

__all__ = [
    "ADAPTER",
    "BACKBONE",
    "COST",
    "CREATED",
    "DATASET",
    "DOMAIN",
    "EPOCH",
    "JOB",
    "KEYS",
    "PUBLISHED",
    "SLOT",
    "SLOTS",
    "SPANS",
    "STARTER",
    "STATUS",
    "STORAGE",
    "TENANT",
    "TRACE_EVENT",
    "VERSIONS",
    "VPLM",
    "ScriptedAppliance",
]


class ScriptedAppliance(
    EngineAnswers,
    TraceAnswers,
    TenantAnswers,
    KeyAnswers,
    DomainAnswers,
    BackboneAnswers,
    VplmAnswers,
    VersionAnswers,
    StarterAnswers,
    AdapterAnswers,
    StorageAnswers,
    DatasetAnswers,
    JobAnswers,
    InferenceAnswers,
):
    """`fails[method]` is raised by that method; `calls` records what was asked.

    `start` waits for `may_start`; `classify` answers at once unless `hold` is set.
    """
