"""One wording for values that a schema refuses, used by the API and by clients alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from engine.errors import BadInput

M = TypeVar("M", bound=BaseModel)

_PLACES = ("body", "query", "path", "header")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `field` is dotted, "" for the document itself."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's error details in words."""
    return [FieldError(_field(error["loc"]), _message(error)) for error in errors]


def refusal(errors: Sequence[FieldError]) -> BadInput:
    """One error that names every refused field."""
    detail = "; ".join(str(error) for error in errors) or "The request cannot be understood"
    return BadInput(f"{detail}.", remedy="Correct the request; /docs shows what each field takes.")


def checked(kind: type[M], /, **fields: Any) -> M:
    """A `kind` made of `fields`; raises BadInput, never pydantic's error."""
    try:
        return kind(**fields)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise refusal(field_errors(details)) from None


def _field(location: Sequence[str | int]) -> str:
    parts = list(location)
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    return ".".join(str(part) for part in parts)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "string_pattern_mismatch":
        return (
            f"{str(error.get('input'))[:80]!r} is not a valid name: use lower-case letters, "
            "digits, '.', '_' and '-', begin with a letter or a digit, and keep it short"
        )
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
