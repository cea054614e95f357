"""One line under the modes that says what is wrong with the engine, and how old the figures are."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from hmi_tui import figures
from hmi_tui.snapshot import Snapshot


class Banner(Widget):
    """Hidden while the engine is up and ready."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; display: none; padding: 0 1;
             background: $warning-muted; color: $warning; }
    Banner.-on { display: block; }
    Banner.-bad { background: $error-muted; color: $error; }
    """
    text: reactive[str] = reactive("", layout=True)

    def tell(self, snapshot: Snapshot, age: float) -> None:
        """Say how things stand; `age` is of the figures on the screen, in seconds."""
        self.text = banner_text(snapshot, age)
        self.set_class(bool(self.text), "-on")
        self.set_class(snapshot.link in ("lost", "failed"), "-bad")

    def render(self) -> RenderResult:
        return Content(self.text)


def banner_text(snapshot: Snapshot, age: float) -> str:
    """What the banner says, empty if all is well."""
    old = f" Figures are {figures.age(age)} old." if snapshot.status is not None else ""
    match snapshot.link:
        case "connecting":
            return "… Looking for the engine."
        case "starting":
            doing = (snapshot.reason or "wait a moment").rstrip(".")
            return f"… The engine is starting: {doing}.{old}"
        case "silent":
            return f"! {snapshot.reason}{old} {snapshot.remedy or 'Asking again.'}"
        case "lost":
            return f"✗ The engine is not running.{old} ctrl+s starts it."
        case "failed":
            return f"✗ The engine could not start: {snapshot.reason} {snapshot.remedy}{old}"
    if not snapshot.ready:
        reasons = "; ".join(snapshot.status.engine.reasons) if snapshot.status else ""
        return f"… The engine is getting ready: {reasons or 'loading'}."
    return f"! No answer for {figures.age(age)}; asking again." if age > 3 else ""
