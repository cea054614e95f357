"""The modes of the application, in the order of their digit keys."""

from __future__ import annotations

MODE_TITLES: dict[str, str] = {
    "overview": "Overview",
    "tenants": "Tenants",
    "domains": "Domains",
    "adapters": "Adapters",
    "trainer": "Trainer",
    "playground": "Playground",
    "pipeline": "Pipeline",
    "load": "Load",
    "logs": "Logs",
}
