"""What a new vPLM starts from: a random adapter, one of the store, another vPLM's, or a published
one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from engine.appliance.core import Core
from engine.appliance.known_backbones import KnownBackbone
from engine.appliance.made_for import backbone_with, generators_backbone, name_of, read_adapter
from engine.appliance.models import task_name
from engine.appliance.reference import Reference
from engine.errors import BadInput, NotFound
from engine.model.adapters import AdapterShape, AdapterWeights, identity_adapter, random_adapter
from engine.schema import LABELS_NEEDED, Head, Mode, VplmSpec
from engine.serving.work import TaskName
from store.rows import AdapterRow, StarterRow, VersionRow, VplmRow

RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a vPLM begins. `source` names what it starts from, `head` says what became of the head;
    `adapter` is what it starts from, None for a random one."""

    source: str
    adapter: AdapterRow | None
    labels: tuple[str, ...]
    domain: str
    mode: Mode
    head: Head
    made_for: KnownBackbone
    task: TaskName = "classify"
    given: tuple[str, ...] = ()
    """The labels of `adapter`, where they are known."""

    @property
    def shared(self) -> AdapterRow | None:
        """The adapter, if the new vPLM is to answer with the very one that it starts from."""
        return self.adapter if self.head == "kept" else None


def start_of(core: Core, spec: VplmSpec) -> Start:
    """What `spec` asks for. NotFound for what is not there or not the tenant's to see, Unavailable
    for a generator where nothing can generate, BadInput for two that do not go together."""
    chosen = _chosen(core, spec)
    if spec.from_vplm is not None:
        row, version = version_of(core, spec.from_vplm)
        if row.tenant != spec.tenant:
            # Whether another tenant has such a vPLM is not this one's business.
            raise NotFound(
                f'Tenant "{spec.tenant}" has no vPLM "{spec.from_vplm}".',
                remedy=f"Copy one of its own: hmi vplm ls --tenant {spec.tenant}.",
            )
        adapter = core.catalogue.adapters.get(version.adapter)
        learnt = task_name(row.task)
        made_for = _made_for(core, adapter, chosen, version.id)
        domain, mode = row.domain, _mode(row.mode)
        return _copied(spec, version.id, adapter, row.labels, domain, mode, learnt, made_for)
    if spec.from_starter is not None:
        starter = starter_of(core, spec.from_starter, spec.tenant)
        adapter = core.catalogue.adapters.get(starter.adapter)
        mode, domain = _mode(starter.mode), starter.domain
        known = any(row.name == domain for row in core.catalogue.domains.all())
        return _copied(
            spec,
            f"starter {starter.id}",
            adapter,
            starter.labels,
            # Its domain may have been removed since; what is no more is not asked for.
            domain if known else "general",
            mode,
            task_of_adapter(adapter),
            _made_for(core, adapter, chosen, f"starter {starter.id}"),
        )
    task: TaskName = "generate" if spec.generates else spec.task or "classify"
    labels, domain, mode = tuple(spec.labels), spec.domain or "general", spec.mode or "plot"
    if spec.adapter == RANDOM:
        made_for = chosen or core.known.get(core.backbones.own.sha256)
        return Start(RANDOM, None, labels, domain, mode, "random", made_for, task)
    adapter = core.catalogue.adapters.get(spec.adapter)
    check_head(adapter, len(labels), task)
    made_for = _made_for(core, adapter, chosen, f"adapter {adapter.id[:12]}")
    return Start(f"adapter {adapter.id}", adapter, labels, domain, mode, "kept", made_for, task)


def weights_of(core: Core, start: Start, spec: VplmSpec, count: int) -> Iterator[AdapterWeights]:
    """`count` adapters to store for vPLMs that begin at `start`, each with its own random part."""
    generator = torch.Generator().manual_seed(secrets.randbits(63))
    labels = len(start.labels)
    if start.adapter is None:
        fits = start.made_for.adapter_shape
        if start.task == "embedding":
            yield from [identity_adapter(fits)] * count
            return
        shape = AdapterShape(fits.layers, fits.hidden, spec.rank)
        for _ in range(count):
            # As they are stored: converting them would engage, and wait for, the math's threads.
            yield random_adapter(shape, labels, generator, torch.float16, spec.places)
        return
    given = read_adapter(core, start.adapter)
    if start.head == "reordered":
        order = torch.tensor([start.given.index(label) for label in start.labels])
        scale = None if given.scale is None else given.scale[:, order]
        head, bias = given.head[order], given.head_bias[order]
        yield from [replace(given, head=head, head_bias=bias, scale=scale)] * count
        return
    for _ in range(count):
        fresh = random_adapter(given.shape, labels, generator, torch.float16)
        yield replace(given, head=fresh.head, head_bias=fresh.head_bias, scale=None)


def version_of(core: Core, text: str) -> tuple[VplmRow, VersionRow]:
    """The vPLM `tenant/name` and the version that follows a colon, or the one that serves."""
    at = Reference.of(text)
    row = core.catalogue.vplms.get(f"{at.owner}/{at.name}" if at.owner else at.name)
    version = row.version if at.version is None else at.version
    return row, core.catalogue.versions.get(row.tenant, row.name, version)


def starter_of(core: Core, text: str, tenant: str | None) -> StarterRow:
    """The starting point `name[:version]` of the operator's, or `tenant/name[:version]`; the
    newest without a version. NotFound also for one that `tenant` (None: the operator) may not
    see."""
    at = Reference.of(text)
    if at.owner is not None and tenant not in (None, at.owner):
        raise NotFound(
            f'There is no starting point "{text}".',
            remedy=f"hmi starter ls --tenant {tenant} lists those that {tenant} may use.",
        )
    return core.catalogue.starters.get(at.owner or "", at.name, at.version)


def task_of_adapter(adapter: AdapterRow) -> TaskName:
    """What its head was made for."""
    return task_name(adapter.metadata.get("task", "classify"))


def same_head(one: TaskName, other: TaskName) -> bool:
    """Whether a head of one task will do for the other, as all will that give labels to a text."""
    alike = ("classify", "pair", "multilabel")
    return one == other or (one in alike and other in alike)


def check_head(adapter: AdapterRow, labels: int, task: TaskName) -> None:
    """BadInput if a vPLM of that task, with so many labels, cannot answer with the adapter."""
    # An embedding needs no head, so whatever head it has will do.
    if task == "embedding":
        return
    made_for = task_of_adapter(adapter)
    if not same_head(made_for, task):
        raise BadInput(
            f"Adapter {adapter.id[:12]} has a head for the task {made_for}, not {task}.",
            remedy=f"Create the vPLM with --task {made_for}, or start from random.",
            code="adapter_task",
        )
    if adapter.labels != labels:
        raise BadInput(
            f"Adapter {adapter.id[:12]} tells {adapter.labels} labels apart; {labels} were given.",
            remedy="Give as many labels as it has, in its order, or start from random.",
            code="label_count",
        )


def _copied(
    spec: VplmSpec,
    source: str,
    adapter: AdapterRow,
    labels: Sequence[str],
    domain: str,
    mode: Mode,
    task: TaskName,
    made_for: KnownBackbone,
) -> Start:
    wanted_task: TaskName = "generate" if spec.generates else spec.task or task
    if (wanted_task == "generate") != (task == "generate"):
        raise BadInput(
            f"{source} is made for another backbone: generators and classifiers share nothing.",
            remedy="Start from a vPLM of the same kind, or from random.",
            code="adapter_mismatch",
        )
    wanted = tuple(spec.labels) or (() if wanted_task == "embedding" else tuple(labels))
    if len(wanted) < LABELS_NEEDED[wanted_task]:
        raise BadInput(
            f"The task {wanted_task} needs at least {LABELS_NEEDED[wanted_task]} labels; "
            f"{len(wanted)} were given.",
            remedy="Give them with --labels.",
            code="label_count",
        )
    head: Head = "fresh"
    if wanted_task == "embedding" or (same_head(task, wanted_task) and wanted == tuple(labels)):
        head = "kept"
    elif same_head(task, wanted_task) and sorted(wanted) == sorted(labels):
        head = "reordered"
    return Start(
        source,
        adapter,
        wanted,
        spec.domain or domain,
        spec.mode or mode,
        head,
        made_for,
        wanted_task,
        tuple(labels),
    )


def _chosen(core: Core, spec: VplmSpec) -> KnownBackbone | None:
    """The backbone that `spec` names; of a generator the one there is. None: it names none."""
    if not spec.generates:
        return None if spec.backbone is None else core.known.named(spec.backbone)
    decoder = generators_backbone(core)
    if spec.backbone not in (None, decoder.id):
        raise BadInput(
            f'Generators rest on the decoder "{decoder.id}", not on "{spec.backbone}".',
            remedy="Leave the backbone out; hmi serve --generator DIR chooses the decoder.",
            code="not_a_decoder",
        )
    return decoder


def _made_for(
    core: Core, adapter: AdapterRow, chosen: KnownBackbone | None, source: str
) -> KnownBackbone:
    """The backbone that the adapter was made for. BadInput if another is `chosen`."""
    sha256 = adapter.metadata.get("backbone_sha256", "")
    if chosen is not None and chosen.sha256 != sha256:
        raise BadInput(
            f'{source} is made for the backbone "{name_of(core, sha256)}", not for "{chosen.id}": '
            "its numbers mean nothing there.",
            remedy="Leave the backbone out, or start from random and train.",
            code="adapter_mismatch",
        )
    return backbone_with(core, sha256)


def _mode(mode: str) -> Mode:
    return "exact" if mode == "exact" else "plot"
