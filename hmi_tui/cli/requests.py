"""Requests out of what the command line says; what the schema refuses is told like the engine's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.errors import BadInput

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)


def build(kind: type[M], **fields: object) -> M:
    """A `kind` with those fields that are not None. Raises BadInput naming each wrong one."""
    from engine.validation import checked

    return checked(kind, **{name: value for name, value in fields.items() if value is not None})


def split_id(vplm: str) -> tuple[str, str]:
    """Tenant and name of "tenant/name"."""
    tenant, slash, name = vplm.partition("/")
    if not (tenant and slash and name) or "/" in name:
        raise BadInput(
            f"{vplm!r} is not the id of a vPLM.", remedy="Write TENANT/NAME, such as acme/polarity."
        )
    return tenant, name


def comma_list(text: str) -> list[str]:
    """The parts of "a,b,c", without the blanks around them."""
    return [part.strip() for part in text.split(",")]


def check_readable(path: Path) -> None:
    """Raise BadInput if the file cannot be read, before anything has been made for it."""
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}.", remedy="Check its name and its mode."
        ) from error
