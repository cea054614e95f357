"""A scripted engine with a lot on it."""

from __future__ import annotations

from engine.schema import Point
from tests.hmi_tui.app.engine_documents import domain, job, tenant, vplm
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.app.span_documents import batches, beside, slot_map


def busy_engine(vplms: int = 10_000) -> ScriptedEngine:
    """Tenants, domains, jobs and as many vPLMs as asked for."""
    engine = ScriptedEngine()
    engine.tenant_rows = [tenant("acme", vplms=vplms - 3), tenant("globex", weight=2.0, vplms=3)]
    engine.domain_rows = [
        domain("general", None, 0, entries=98_112, bytes=230 << 20, encoder="own"),
        domain("news", "general", 1, hit_rate=0.58),
        domain("reviews", "general", 1, hit_rate=0.74, hits=2_812_345),
        domain("films", "reviews", 2, 0, entries=0, bytes=0, hits=0, hit_rate=None, state="empty"),
    ]
    tiers = ("device", "host", "disk")
    engine.vplm_rows = [
        vplm("acme", "polarity", accuracy=0.842, version=2, tier="device", requests=1_204),
        *(
            vplm("acme", f"model-{n:05d}", tier=tiers[n % 3], requests=n % 97)
            for n in range(1, vplms - 3)
        ),
        *(vplm("globex", name, domain="news") for name in ("desk", "spam", "tone")),
    ]
    engine.job_rows = [
        job("j2", "acme/model-00007", "running"),
        job("j1", "acme/polarity", "succeeded", accuracy=[Point(step=600, value=0.842)]),
        job("j0", "globex/tone", "failed", error="The dataset has one label only."),
    ]
    engine.spans_told = [*beside(), *batches(1, 40)]
    engine.slot_map = slot_map()
    return engine
