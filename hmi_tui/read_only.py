"""`hmi --read-only`: which actions change something; those are neither offered nor done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.actions import parse

Action = TypeVar("Action", bound=Callable[..., Any])

REFUSAL = "Read-only: this changes something.\nStart hmi without --read-only to do it."

_MARK = "hmi_changes"


def changes(action: Action) -> Action:
    """Mark an action method that changes the engine or what it holds."""
    setattr(action, _MARK, True)
    return action


def is_changing(owner: object, name: str) -> bool:
    """Whether the action `name` of a screen, widget or application, or of its class, is marked."""
    return getattr(getattr(owner, f"action_{name}", None), _MARK, False)


def destination(action: str) -> tuple[str, str]:
    """Whose action this is ("" for whoever has the binding, "app", "screen") and its name."""
    whose, name, _ = parse(action)
    return whose, name
