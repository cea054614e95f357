"""What a training can be asked for, read out of the API's own request: one list for the command
line and the form."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from engine.schema import TrainRequest

NOT_ASKED = ("type", "vplm", "dataset")
"""Fields that say what is trained, not how."""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """`kind` is what its values are; `default` None leaves it to the engine."""

    name: str
    label: str
    about: str
    kind: type
    options: tuple[str, ...]
    default: Any

    @property
    def shown(self) -> str:
        """The default as text; empty where the engine decides."""
        if self.kind is bool:
            return "yes" if self.default else "no"
        return "" if self.default is None else str(self.default)


def hyperparameters() -> tuple[Hyperparameter, ...]:
    """In the order of the request's fields."""
    found = []
    for name, field in TrainRequest.model_fields.items():
        if name in NOT_ASKED:
            continue
        kinds = [kind for kind in _kinds(field.annotation) if kind is not NoneType]
        options = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else ()
        found.append(
            Hyperparameter(
                name,
                field.title or name.replace("_", " ").capitalize(),
                field.description or "",
                str if options or not isinstance(kinds[0], type) else kinds[0],
                options,
                field.default,
            )
        )
    return tuple(found)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    if get_origin(annotation) is Literal or isinstance(annotation, type):
        return (annotation,)
    return get_args(annotation)
