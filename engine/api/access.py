"""The one place that says who may make which call, by the name of its route.

A route that is not here is the operator's alone, so that one which was forgotten is shut, not open;
tests ask for each route to be here, and try every kind of caller on every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.caller import Caller
from engine.errors import HmiError, NotFound, Refused, Unauthorized
from engine.schema import Scope

Who = Literal["anybody", "tenants", "operator"]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make a call: anybody, each tenant of its own things, or the operator alone; and what
    their key must be good for, None if any key will do."""

    who: Who
    scope: Scope | None = None


ANYBODY = Access("anybody")
TENANTS = Access("tenants")
INFER = Access("tenants", "infer")
TRAIN = Access("tenants", "train")
MANAGE = Access("tenants", "manage")
LOOK = Access("operator")
RUN = Access("operator", "manage")

ACCESS: Mapping[str, Access] = {
    "livez": ANYBODY,
    "readyz": ANYBODY,
    "version": TENANTS,
    "openapi": TENANTS,
    "swagger_ui_html": TENANTS,
    "swagger_ui_redirect": TENANTS,
    "metrics": LOOK,
    "status": LOOK,
    "stop": RUN,
    "trace": LOOK,
    "spans": LOOK,
    "slots": LOOK,
    "one_slot": LOOK,
    "events": LOOK,
    "audit": LOOK,
    "tenants": TENANTS,
    "create_tenant": RUN,
    "tenant": TENANTS,
    "change_tenant": RUN,
    "remove_tenant": RUN,
    "rotate_key": RUN,
    "tenant_keys": MANAGE,
    "create_tenant_key": MANAGE,
    "revoke_tenant_key": MANAGE,
    "keys": RUN,
    "create_key": RUN,
    "revoke_key": RUN,
    "domains": LOOK,
    "create_domain": RUN,
    "domain": LOOK,
    "change_domain": RUN,
    "remove_domain": RUN,
    "corpus": LOOK,
    "put_corpus": RUN,
    "rebuild_domain": RUN,
    "rebuild_cost": LOOK,
    "epochs": LOOK,
    "encoder_file": LOOK,
    "ngrams": LOOK,
    "backbones": LOOK,
    "import_backbone": RUN,
    "backbone": LOOK,
    "remove_backbone": RUN,
    "vplms": TENANTS,
    "create_vplm": MANAGE,
    "create_vplms": MANAGE,
    "vplm": TENANTS,
    "change_vplm": MANAGE,
    "remove_vplm": MANAGE,
    "versions": TENANTS,
    "publish_adapter": MANAGE,
    "roll_back": MANAGE,
    "promote": MANAGE,
    "starters": TENANTS,
    "publish_starter": MANAGE,
    "starter": TENANTS,
    "tenants_starter": TENANTS,
    "remove_starter": RUN,
    "remove_tenants_starter": MANAGE,
    "adapters": LOOK,
    "import_adapter": RUN,
    "import_adapterhub": RUN,
    "adapter": TENANTS,
    "adapter_file": MANAGE,
    "adapterhub_folder": MANAGE,
    "verify_adapter": RUN,
    "remove_adapter": RUN,
    "storage": LOOK,
    "collect_garbage": RUN,
    "datasets": TRAIN,
    "dataset": TRAIN,
    "put_dataset": TRAIN,
    "remove_dataset": TRAIN,
    "jobs": TRAIN,
    "train": TRAIN,
    "job": TRAIN,
    "cancel_job": TRAIN,
    "job_events": TRAIN,
    "classify": INFER,
    "tag": INFER,
    "predict": INFER,
    "embeddings": INFER,
    "completions": INFER,
    "models": TENANTS,
    "model": TENANTS,
}


def access_to(route: str | None) -> Access:
    """Of the route with that name; None, where there is none, may be found out by any key."""
    return TENANTS if route is None else ACCESS.get(route, RUN)


def check(access: Access, caller: Caller | None) -> None:
    """Nothing if the caller may. Unauthorized without one; NotFound for a tenant where only the
    operator may, as if there were no such route; Refused if the key is not for such calls."""
    if access.who == "anybody":
        return
    if caller is None:
        raise Unauthorized
    if access.who == "operator" and caller.tenant is not None:
        raise no_such_route()
    if access.scope is not None and access.scope not in caller.scopes:
        raise Refused(
            f"Key {caller.key} is for {', '.join(sorted(caller.scopes))}; this call needs one for "
            f"{access.scope}.",
            remedy="Use another key, or have one made for it (hmi tenant key NAME --new --scopes "
            f"{access.scope}).",
            code="scope_missing",
        )


def changes(access: Access, method: str) -> bool:
    """Whether such a call is written down: it changes something, and asks no vPLM."""
    return method not in ("GET", "HEAD") and access.scope in ("train", "manage")


def no_such_route() -> HmiError:
    return NotFound("There is no such route.", remedy="/docs lists them.", code="no_such_route")
