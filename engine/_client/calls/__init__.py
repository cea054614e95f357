"""Every call of the API, written down once: as a value here, as a method on the two clients.

A file a resource, as in engine.api.routes. A new route is one function in its resource's class.
"""

from __future__ import annotations

from engine._client.calls.adapters import AdapterCalls
from engine._client.calls.backbones import BackboneCalls
from engine._client.calls.datasets import DatasetCalls
from engine._client.calls.domains import DomainCalls
from engine._client.calls.engine import EngineCalls
from engine._client.calls.generation import GenerationCalls
from engine._client.calls.inference import InferenceCalls
from engine._client.calls.jobs import JobCalls
from engine._client.calls.keys import KeyCalls
from engine._client.calls.storage import StorageCalls
from engine._client.calls.tenants import TenantCalls
from engine._client.calls.versions import VersionCalls
from engine._client.calls.vplms import VplmCalls


class Calls(
    EngineCalls,
    TenantCalls,
    KeyCalls,
    DomainCalls,
    BackboneCalls,
    VplmCalls,
    VersionCalls,
    AdapterCalls,
    StorageCalls,
    DatasetCalls,
    JobCalls,
    InferenceCalls,
    GenerationCalls,
):
    """`Calls.tenant("acme")` is the call itself: what would be sent, and how the answer is read."""
