"""The file: tenants, domains and vPLMs by name, in TOML. Paths in it are relative to it.

[tenants.acme]
weight = 2
quota = { vplms = 100, rps = 50 }

[domains.reviews]
parent = "general"
corpus = ["reviews.txt.gz"]

[vplms."acme/polarity"]
labels = ["negative", "positive"]
domain = "reviews"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from engine.client import BadInput
from engine.schema import MAX_COUNT, Miss, Mode, Name, Place, Quota, RebuildRequest, Request, Task
from engine.validation import field_errors

VplmId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}/[a-z0-9][a-z0-9._-]{0,62}$")
]


class TenantEntry(Request):
    """What is left out stays as it is, or is what hmi tenant create makes it."""

    weight: float | None = Field(None, gt=0, le=1000)
    quota: Quota | None = None


class DomainEntry(Request):
    parent: Name | None = None
    corpus: str | list[str] = Field(default_factory=list)
    """Text files, plain or .gz; together they are the domain's text."""
    rebuild: bool | RebuildRequest = True
    """Whether its table is built once its text is new, and how."""

    @property
    def files(self) -> list[str]:
        return [self.corpus] if isinstance(self.corpus, str) else self.corpus


class VplmEntry(Request):
    """One vPLM, or `count` of them named NAME-00001 and on."""

    task: Task | None = None
    labels: list[str] = Field(default_factory=list)
    backbone: str | None = None
    domain: Name | None = None
    mode: Mode | None = None
    miss: Miss | None = None
    pin: bool | None = None
    rank: int | None = Field(None, ge=1)
    places: list[Place] | None = Field(None, min_length=1)
    count: int | None = Field(None, ge=1, le=MAX_COUNT)
    adapter: str | None = None
    copy_of: str | None = Field(None, alias="from")
    starter: str | None = None


class Description(Request):
    """A whole file; `path` says where it is."""

    path: Path
    tenants: dict[Name, TenantEntry] = Field(default_factory=dict)
    domains: dict[Name, DomainEntry] = Field(default_factory=dict)
    vplms: dict[VplmId, VplmEntry] = Field(default_factory=dict)

    def fault(self, key: str, what: str, remedy: str) -> BadInput:
        """An error that names the file and the key."""
        return BadInput(f"{self.path}: {key}: {what}", remedy=remedy, code="bad_description")

    def corpus_of(self, domain: str) -> list[Path]:
        """A domain's text files, where they are."""
        return [self.path.parent / name for name in self.domains[domain].files]


def read_description(path: Path) -> Description:
    """BadInput, which names the file and the line or the key, for what is not understood."""
    try:
        with path.open("rb") as file:
            told = tomllib.load(file)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}.", remedy="Check its name and its mode."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} is not TOML: {error}.",
            remedy="Correct it; hmi create --help shows a whole file.",
            code="bad_description",
        ) from error
    return _checked(path, told)


def _checked(path: Path, told: dict[str, Any]) -> Description:
    try:
        found = Description.model_validate({**told, "path": path})
    except ValidationError as error:
        wrong = field_errors(error.errors(include_url=False))
        raise BadInput(
            "; ".join(f"{path}: {each}" for each in wrong) + ".",
            remedy="Correct it; hmi create --help shows a whole file.",
            code="bad_description",
        ) from None
    if "path" in told:
        raise found.fault("path", "there is no such field.", "Take it out.")
    for domain in found.domains:
        for file in found.corpus_of(domain):
            if not file.is_file():
                raise found.fault(
                    f"domains.{domain}.corpus",
                    f"there is no file {file}.",
                    "Paths are relative to the file that names them.",
                )
    return found
