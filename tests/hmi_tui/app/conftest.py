"""The application on a scripted engine, driven by its keys."""

from __future__ import annotations

DEADLINE_S = 10.0
