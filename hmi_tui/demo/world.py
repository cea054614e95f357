"""Build what the demo shows: a domain tree, tenants with vPLMs, one of them trained."""

from __future__ import annotations

from dataclasses import dataclass

from engine.client import Client, HmiError
from engine.schema import Job, Mode, TrainRequest, Vplm, VplmBulkCreate, VplmCreate
from hmi_tui.cli.watch import watch
from hmi_tui.demo.manifest import DatasetPlan, DomainPlan, Manifest, read_rows
from hmi_tui.demo.steps import Steps
from hmi_tui.figures import share, size

TENANTS = (
    "acme",
    "birchwood",
    "cobalt",
    "dunmore",
    "eastgate",
    "fjord",
    "granite",
    "harbour",
    "ironside",
    "juniper",
)
VPLMS_A_TENANT = 12
TRAINED = ("acme", "tickets")
BATCH = 50


@dataclass(frozen=True, slots=True)
class Trained:
    """The trained vPLM; accuracies are shares of 1, `measured` on rows kept from training."""

    vplm: str
    held_out: float | None
    measured: dict[str, float]
    rows_measured: int


def build_domains(client: Client, manifest: Manifest, steps: Steps) -> None:
    """Every domain of the manifest with its corpus and a first table."""
    existing = {one.name for one in client.domains().data}
    for plan in manifest.domains:
        with steps.step(f"domain {plan.name}"):
            _build_domain(client, plan, plan.name not in existing, steps)


def _build_domain(client: Client, plan: DomainPlan, new: bool, steps: Steps) -> None:
    if new:
        client.create_domain(plan.name, plan.parent or "general")
    receipt = client.put_corpus(plan.name, plan.corpus)
    watch(client, client.rebuild_domain(plan.name).id)
    built = client.domain(plan.name)
    table = f"{built.entries} entries of its own, {size(built.bytes)}"
    steps.tell(f"  {receipt.lines} lines of text; {table}")


def create_vplms(client: Client, manifest: Manifest, steps: Steps) -> int:
    """Ten tenants with vPLMs spread over the domains, all of random parameters; their number."""
    made = 0
    names = [plan.name for plan in manifest.domains]
    with steps.step(f"{len(TENANTS)} tenants with {VPLMS_A_TENANT} vPLMs each"):
        for index, tenant in enumerate(TENANTS):
            client.create_tenant(tenant)
            request = VplmBulkCreate(
                tenant=tenant,
                name="desk",
                count=VPLMS_A_TENANT,
                domain=names[index % len(names)],
                labels=list(manifest.dataset.labels),
            )
            made += len(client.create_vplms(request))
    return made


def train_one(client: Client, dataset: DatasetPlan, steps: Steps) -> Trained:
    """One vPLM that has learned the demo's dataset, and how well."""
    tenant, name = TRAINED
    labels = list(dataset.labels)
    with steps.step(f"training {tenant}/{name}"):
        vplm = client.create_vplm(
            VplmCreate(tenant=tenant, name=name, domain=dataset.domain, labels=labels)
        )
        client.put_dataset(tenant, name, dataset.train)
        job = watch(client, client.train(TrainRequest(vplm=vplm.id, dataset=name)).id)
        trained = client.vplm(vplm.id)
        held_out = _held_out(trained, job)
        steps.tell(f"  held-out accuracy {share(held_out, 1)}")
    rows = read_rows(dataset.test) if dataset.test else []
    measured: dict[str, float] = {}
    if rows:
        with steps.step(f"asking it {len(rows)} texts it has not seen"):
            for mode in ("plot", "exact"):
                measured[mode] = accuracy(client, vplm.id, rows, mode)
                steps.tell(f"  accuracy {share(measured[mode], 1)} in mode {mode}")
    return Trained(vplm.id, held_out, measured, len(rows))


def _held_out(trained: Vplm, job: Job) -> float | None:
    if trained.accuracy is not None:
        return trained.accuracy
    return job.accuracy[-1].value if job.accuracy else None


def accuracy(client: Client, vplm: str, rows: list[tuple[str, str]], mode: Mode) -> float:
    """The share of `rows` (text, label) that `vplm` gets right."""
    right = 0
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        answer = client.classify(vplm, [text for text, _ in batch], mode)
        if len(answer.data) != len(batch):
            raise HmiError(f"{len(batch)} texts were asked, {len(answer.data)} answered.")
        right += sum(one.label == batch[one.index][1] for one in answer.data)
    return right / len(rows)
