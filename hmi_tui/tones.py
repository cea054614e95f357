"""The few styles that text may have; names of the theme's variables, never colours."""

from __future__ import annotations

from typing import Literal

Tone = Literal["plain", "muted", "strong", "accent", "good", "warn", "bad"]

STYLES: dict[Tone, str] = {
    "plain": "",
    "muted": "$muted",
    "strong": "bold",
    "accent": "$primary",
    "good": "$success",
    "warn": "$warning",
    "bad": "bold $error",
}

MUTED = STYLES["muted"]
STRONG = STYLES["strong"]
ACCENT = STYLES["accent"]
GOOD = STYLES["good"]
WARN = STYLES["warn"]
BAD = STYLES["bad"]
CURVE = "$curve"
FRAME = "$frame"
