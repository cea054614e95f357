"""The demo's generator: it learns to write like the texts of a domain."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.client import Client
from engine.schema import CompletionRequest, RebuildRequest, TrainRequest, VplmCreate
from hmi_tui.cli.watch import watch
from hmi_tui.demo.manifest import TextPlan
from hmi_tui.demo.steps import Steps

GENERATOR = ("acme", "letters")
TOKENS = 24


@dataclass(frozen=True, slots=True)
class Written:
    """How well it foretells texts that were kept from training, and how it goes on from `prompt`
    in either mode, with the likeliest token each time."""

    vplm: str
    perplexity: float | None
    prompt: str
    texts: dict[str, str] = field(default_factory=dict)


def train_generator(client: Client, plan: TextPlan, steps: Steps) -> Written:
    """A generator that has learnt the text of `plan`, on a table of its domain for generators."""
    tenant, name = GENERATOR
    with steps.step(f"training the generator {tenant}/{name}"):
        wanted = RebuildRequest(kind="generator")
        watch(client, client.rebuild_domain(plan.domain, wanted).id)
        vplm = client.create_vplm(
            VplmCreate(tenant=tenant, name=name, domain=plan.domain, task="generate")
        )
        client.put_dataset(tenant, name, plan.text, task="generate")
        job = watch(client, client.train(TrainRequest(vplm=vplm.id, dataset=name)).id)
        perplexity = job.perplexity[-1].value if job.perplexity else None
        told = "none" if perplexity is None else f"{perplexity:.1f}"
        steps.tell(f"  held-out perplexity {told}")
    texts = {}
    with steps.step(f'letting it go on from "{plan.prompt}"'):
        for mode in ("plot", "exact"):
            answer = client.complete(
                CompletionRequest(
                    model=vplm.id, prompt=plan.prompt, mode=mode, max_tokens=TOKENS, temperature=0
                )
            )
            texts[mode] = answer.choices[0].text
            steps.tell(f"  {mode}: {' '.join((plan.prompt + texts[mode]).split())}")
    return Written(vplm.id, perplexity, plan.prompt, texts)
