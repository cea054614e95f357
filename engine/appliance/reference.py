"""How people name things that have versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import BadInput

_REFERENCE = re.compile(r"(?:([^/:]+)/)?([^/:]+)(?::([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """`owner/name:version` taken apart; what is not given is None."""

    owner: str | None
    name: str
    version: int | None

    @classmethod
    def of(cls, text: str) -> Reference:
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise BadInput(
                f"{text!r} names nothing that a vPLM could start from.",
                remedy="Write NAME or TENANT/NAME, with :VERSION for another than the newest.",
                code="bad_reference",
            )
        owner, name, version = found.groups()
        return cls(owner, name, None if version is None else int(version))
