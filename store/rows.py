"""What the catalogue holds, as values. Instants are Unix seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

QuotaLimits = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class TenantRow:
    """`quota` maps a limit's name to its value (None: no limit). `key_digest` is what catalogues
    kept of the one key before keys had rows of their own; empty since."""

    name: str
    weight: float
    quota: QuotaLimits
    key_digest: str
    created_at: float


@dataclass(frozen=True, slots=True)
class KeyRow:
    """`tenant` is whose key it is, empty for the operator; `id` is how it begins, for people to
    know it by; `scopes` is what it may be used for; it stops working at `expires_at`."""

    id: str
    tenant: str
    digest: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A node of the domain tree, and what it knows for one backbone; the root alone has no parent.

    `epoch`, `state`, `encoder` and `params` are that backbone's: `encoder` is the blob id of the
    node's own n-gram encoder, None where it inherits; `params` are those of the last rebuild.
    `policy` says when the next one comes by itself. Epochs of a node are numbered together,
    whatever backbone they are for.
    """

    name: str
    parent: str | None
    epoch: int
    state: str
    encoder: str | None
    corpus_bytes: int
    corpus_lines: int
    params: dict[str, Any]
    created_at: float
    policy: dict[str, Any] = field(default_factory=dict)
    backbone: str = ""
    """Sha256 of its weights. "": nobody has said yet whose it is, as in a catalogue from before
    backbones were told apart."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """What a table was that a domain published: of its own entries `entries`, `coverage` of corpus
    and traffic with those that it inherits; `encoder` as the domain's then. Of the `lookups` while
    it served, `hits` were answered by a table; `replaced_at` is None while it serves."""

    domain: str
    epoch: int
    entries: int
    bytes: int
    alpha: float
    coverage: float
    encoder: str | None
    seconds: float
    published_at: float
    hits: int = 0
    lookups: int = 0
    replaced_at: float | None = None
    backbone: str = ""
    """As of a DomainRow."""


@dataclass(frozen=True, slots=True)
class VplmRow:
    """`adapter` is the id of its blob; `version` is 1 at creation, publishing adds one; `miss` is
    what happens to n-grams that no table holds, None where the engine decides; `last_used` is when
    it was last asked, as of the last time that was written down; `task` is what it answers;
    `backbone` is the sha256 of the weights that its adapters are made for."""

    tenant: str
    name: str
    kind: str
    domain: str
    labels: tuple[str, ...]
    mode: str
    rank: int
    adapter: str
    version: int
    pinned: bool
    accuracy: float | None
    created_at: float
    miss: str | None = None
    last_used: float | None = None
    task: str = "classify"
    backbone: str = ""

    @property
    def id(self) -> str:
        return f"{self.tenant}/{self.name}"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One publication of a vPLM, which answered with `adapter` from `published_at` on.

    `origin` is what brought it about (`created`, `trained`, `upload`, `rollback`, `promoted`),
    `source` what it was made of: a job, another version, a starting point.
    """

    tenant: str
    name: str
    version: int
    adapter: str
    accuracy: float | None
    origin: str
    source: str
    published_at: float

    @property
    def id(self) -> str:
        """Such as "acme/polarity:3"."""
        return f"{self.tenant}/{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class StarterRow:
    """An adapter that vPLMs may start from; `owner` is a tenant, or empty for the operator.

    `labels`, `domain`, `mode` and `accuracy` are those of the vPLM that it was taken from, which
    `source` names with its version; `card` says for people what it is.
    """

    owner: str
    name: str
    version: int
    adapter: str
    labels: tuple[str, ...]
    domain: str
    mode: str
    accuracy: float | None
    card: dict[str, str]
    source: str
    published_at: float

    @property
    def id(self) -> str:
        """Such as "polarity:2", or "acme/polarity:2" if a tenant owns it."""
        name = f"{self.name}:{self.version}"
        return f"{self.owner}/{name}" if self.owner else name


@dataclass(frozen=True, slots=True)
class BackboneRow:
    """A checkpoint that was imported; `bytes` are those of its files, `split` is k."""

    name: str
    version: int
    sha256: str
    family: str
    layers: int
    hidden: int
    split: int
    bytes: int
    imported_at: float

    @property
    def id(self) -> str:
        """Such as "bert-base:1"."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """`id` is the blob's sha256; `places` says where in a layer the bottlenecks sit;
    `labels` is how many the head tells apart; `created_by` is `random` or a job's id."""

    id: str
    bytes: int
    rank: int
    places: str
    labels: int
    created_by: str
    metadata: dict[str, str]
    created_at: float


@dataclass(frozen=True, slots=True)
class JobRow:
    """`subject` is the vPLM or domain worked on; the series hold (step, value)."""

    id: str
    type: str
    subject: str
    state: str
    params: dict[str, Any]
    _: KW_ONLY
    progress: float = 0.0
    message: str = ""
    error: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    loss: list[tuple[int, float]] = field(default_factory=list)
    accuracy: list[tuple[int, float]] = field(default_factory=list)
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """`labels` maps a label to its rows; `path_name` is what `DatasetFiles` knows it by; `task` is
    what its rows can teach.

    Of its rows, `duplicates` say again what an earlier one said, `conflicts` have a text that also
    stands with another label, `too_long` are longer than the backbone reads; None where nobody
    counted.
    """

    tenant: str
    name: str
    rows: int
    labels: dict[str, int]
    bytes: int
    sha256: str
    path_name: str
    created_at: float
    duplicates: int | None = None
    conflicts: int | None = None
    too_long: int | None = None
    task: str = "classify"
