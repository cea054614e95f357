"""`hmi --read-only`: which actions change something; those are neither offered nor done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from textual.actions import ActionParseResult, parse
from textual.app import App
from textual.dom import DOMNode

Action = TypeVar("Action", bound=Callable[..., Any])

REFUSAL = "Read-only: this changes something.\nStart hmi without --read-only to do it."
GREETING = (
    "Read-only: everything can be looked at, nothing of the engine changed. A trace, an adapter's "
    "file or a screenshot can still be saved here."
)

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


class Refusing(App[None]):
    """An application that may be opened `read_only`; then it refuses what is marked, with words."""

    read_only = False

    def forbids(self, owner: object, name: str) -> bool:
        """Whether this action is one that --read-only refuses."""
        return self.read_only and is_changing(owner, name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self.forbids(self, action) and super().check_action(action, parameters)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action, or say why it is not run."""
        whose, name = destination(action) if isinstance(action, str) else action[:2]
        owner: DOMNode = self if default_namespace is None else default_namespace
        if whose == "app":
            owner = self
        elif whose == "screen":
            # Only now: while the application closes there is no screen any more.
            owner = self.screen
        if self.forbids(owner, name):
            self.notify(REFUSAL, severity="warning")
            return True
        return await super().run_action(action, default_namespace, namespaces)
