"""A call as a value: what to ask and how to read the answer. Both clients send the same calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from engine.errors import BadInput, HmiError, Unavailable, from_problem

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

PATIENCE_S = 600.0
"""How long work may take that goes over many rows: uploads and bulk creation."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `read` turns the body of a good answer into the result.

    `accept` names error statuses whose body is a result all the same (readyz's 503).
    `asks` says that a POST changes nothing.
    `amend` tells an error better, by what the engine was not told (a file's name).
    `slow` calls may take PATIENCE_S; the others the client's own timeout.
    `unanswered` is the result if no engine runs; None: that is an error.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    content: bytes | None = None
    chunks: Iterable[bytes] | None = None
    content_type: str = "application/json"
    accept: tuple[int, ...] = ()
    slow: bool = False
    asks: bool = False
    unanswered: T | None = None
    amend: Callable[[HmiError], HmiError] = lambda error: error

    @property
    def changes(self) -> bool:
        """Whether the engine, or what it holds, is another one afterwards."""
        return self.method != "GET" and not self.asks

    @property
    def headers(self) -> dict[str, str]:
        if self.content is None and self.chunks is None:
            return {}
        return {"Content-Type": self.content_type}

    def result(self, status: int, body: bytes) -> T:
        """The result, or the error that the answer stands for, raised."""
        if status >= 400 and status not in self.accept:
            raise self.amend(error_of(status, body))
        try:
            return self.read(body)
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(
                f"The answer to {self.method} {self.path} cannot be read: {error}",
                remedy="Compare `hmi info` with the engine's version; they should match.",
                code="unreadable_answer",
            ) from error


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """An event stream; `read` turns the data of one event into a value.

    With `content` (JSON) it is asked for by POST. The event `end` is its last, and no value.
    """

    path: str
    read: Callable[[str], T]
    last_id: int | None = None
    content: bytes | None = None
    end: str | None = None

    @property
    def method(self) -> str:
        return "GET" if self.content is None else "POST"

    @property
    def headers(self) -> dict[str, str]:
        if self.content is not None:
            return {"Content-Type": "application/json"}
        return {} if self.last_id is None else {"Last-Event-ID": str(self.last_id)}


def error_of(status: int, body: bytes) -> HmiError:
    """The error in a problem document, or one made of whatever else was answered."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"The engine answered HTTP {status} without saying why."}
    return from_problem(status, problem)


def reader(kind: type[M]) -> Callable[[bytes], M]:
    return kind.model_validate_json


def nothing(_body: bytes) -> None:
    return None


def json_body(document: BaseModel | Mapping[str, Any]) -> bytes:
    """UTF-8 JSON; None in a mapping means "not given" and is left out."""
    if isinstance(document, BaseModel):
        return document.model_dump_json().encode()
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def query(**values: object) -> dict[str, str]:
    """Query parameters; None and empty strings are left out."""
    return {key: str(value) for key, value in values.items() if value not in (None, "")}


def segment(name: str) -> str:
    """`name` as one part of a path."""
    if name in ("", ".", "..") or "/" in name:
        raise BadInput(f"{name!r} is not a name.", remedy="Give the name of an existing thing.")
    return quote(name, safe="")


def vplm_path(id: str) -> str:
    tenant, _, name = id.partition("/")
    if not tenant or not name or "/" in name:
        raise BadInput(
            f"{id!r} is not the id of a vPLM.", remedy="Write tenant/name, such as acme/polarity."
        )
    return f"/v1/vplms/{segment(tenant)}/{segment(name)}"
