"""One line under the modes that says what is wrong with the engine, and how old the figures are."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from engine.client import VERSION
from hmi_tui import figures
from hmi_tui.snapshot import Snapshot
from hmi_tui.versions import remedy_for

SLOW_S = 3.0
"""An answer that takes longer is worth a word."""


class Banner(Widget):
    """Hidden while the engine is up and ready."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; display: none; padding: 0 1;
             background: $warning-muted; color: $warning; }
    Banner.-on { display: block; }
    Banner.-bad { background: $error-muted; color: $error; }
    """
    text: reactive[str] = reactive("", layout=True)

    def tell(self, snapshot: Snapshot, age: float, start: str) -> None:
        """Say how things stand; `age` is of the figures on the screen, in seconds, `start` says
        how an engine is started."""
        self.text = banner_text(snapshot, age, start)
        self.set_class(bool(self.text), "-on")
        self.set_class(snapshot.link in ("lost", "failed"), "-bad")

    def render(self) -> RenderResult:
        return Content(self.text)


def banner_text(snapshot: Snapshot, age: float, start: str = "ctrl+s starts it.") -> str:
    """What the banner says, empty if all is well."""
    old = f" Figures are {figures.age(age)} old." if snapshot.status is not None else ""
    match snapshot.link:
        case "connecting":
            return "… Looking for the engine."
        case "starting":
            doing = (snapshot.reason or "wait a moment").rstrip(".")
            return f"… The engine is starting: {doing}.{old}"
        case "busy":
            return f"! The engine is overloaded: {snapshot.reason}{old} {snapshot.remedy}"
        case "foreign":
            return f"! {snapshot.reason} {snapshot.remedy}{old}"
        case "silent":
            return f"! {snapshot.reason}{old} {snapshot.remedy or 'Asking again.'}"
        case "lost":
            return f"✗ {snapshot.reason or 'The engine is not running.'}{old} {start}"
        case "failed":
            return f"✗ The engine could not start: {snapshot.reason} {snapshot.remedy}{old}"
    if not snapshot.ready:
        reasons = "; ".join(snapshot.status.engine.reasons) if snapshot.status else ""
        return f"… The engine is getting ready: {reasons or 'loading'}."
    if age > SLOW_S:
        return f"! No answer for {figures.age(age)}; asking again."
    return "\n".join(filter(None, (_overload(snapshot), _mismatch(snapshot))))


def _overload(snapshot: Snapshot) -> str:
    if not snapshot.overloaded or snapshot.status is None:
        return ""
    queue = snapshot.status.queue
    wait = f"{queue.tokens:,} of {queue.limit_tokens:,} tokens wait"
    refused = f", {snapshot.refused:,} requests were refused (429)" if snapshot.refused else ""
    return (
        f"! The engine is overloaded: {wait}{refused}. Send less; a quota (mode 2) holds one "
        "tenant down, hmi size says what the load needs."
    )


def _mismatch(snapshot: Snapshot) -> str:
    if snapshot.status is None or snapshot.status.engine.version == VERSION:
        return ""
    theirs = snapshot.status.engine.version
    return f"! The engine is version {theirs}, this application {VERSION}. {remedy_for(theirs)}"
