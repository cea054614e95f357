"""The appliance as whoever calls may see it: the parameter type by which a route gets it."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from engine.api.guard import caller_of
from engine.api.port import Port
from engine.api.tenant_view import TenantView
from engine.caller import Caller
from engine.errors import Unauthorized


def seen_by(caller: Caller | None, appliance: Port) -> Port:
    """All of it for the operator, its own things for a tenant. Unauthorized for nobody."""
    if caller is None:
        raise Unauthorized
    if caller.tenant is None:
        return appliance
    # What a view has not, no tenant may ask for; it says so itself.
    return cast("Port", TenantView(appliance, caller.tenant, caller.scopes))


async def _seen(request: Request) -> Port:
    return seen_by(caller_of(request.scope), request.app.state.appliance)


async def _whole(request: Request) -> Port:
    appliance: Port = request.app.state.appliance
    return appliance


Engine = Annotated[Port, Depends(_seen)]
"""What the caller may see of the appliance."""
Whole = Annotated[Port, Depends(_whole)]
"""The appliance itself, for what is open to anybody."""
