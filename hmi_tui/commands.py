"""What ctrl+p offers: every action of the application as `group: Verb`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from hmi_tui.modes import MODE_TITLES

if TYPE_CHECKING:
    from hmi_tui.app import HmiApp


@dataclass(frozen=True, slots=True)
class Command:
    """An action, and the mode that has it; without a mode it is the application's own."""

    name: str
    action: str
    help: str
    mode: str = ""


COMMANDS = (
    *(Command(f"go: {title}", f"open('{name}')", "") for name, title in MODE_TITLES.items()),
    Command("tenant: Create", "create_tenant", "A new owner of vPLMs", "tenants"),
    Command("tenant: Change", "change_tenant", "Its weight and quota", "tenants"),
    Command("tenant: Delete", "delete_tenant", "With all its vPLMs", "tenants"),
    Command("tenant: Rotate key", "rotate_key", "A new key; the old one stops working", "tenants"),
    Command("vplm: Create", "create_vplm", "One model, or many at once", "tenants"),
    Command("vplm: Copy", "copy_vplm", "A new one that begins as it is", "tenants"),
    Command("vplm: Publish", "publish_vplm", "As a starting point for new ones", "tenants"),
    Command("vplm: Change", "change_vplm", "Its domain and mode", "tenants"),
    Command(
        "vplm: Delete", "delete_vplm", "The marked ones, or the one under the cursor", "tenants"
    ),
    Command("vplm: Pin or unpin", "pin", "Keep it in device memory, or no longer", "tenants"),
    Command("vplm: Try", "try_vplm", "In the playground", "tenants"),
    Command("vplm: Train", "train_vplm", "In the trainer", "tenants"),
    Command("domain: Create", "create_domain", "A node under another one", "domains"),
    Command("domain: Upload corpus", "upload_corpus", "Text, a document a line", "domains"),
    Command("domain: Rebuild", "rebuild", "Publish its next epoch", "domains"),
    Command("domain: Change", "change_domain", "Its place in the tree, when it learns", "domains"),
    Command("domain: Compare epochs", "epochs", "What changed from one to the next", "domains"),
    Command("domain: Watch rebuild", "watch", "In the trainer", "domains"),
    Command("domain: Describe", "describe", "All that is known of it", "domains"),
    Command("domain: Delete", "delete_domain", "Its children go to its parent", "domains"),
    Command("adapter: Describe", "describe", "Where it comes from and who uses it", "adapters"),
    Command("adapter: Import", "import_adapter", "From a file", "adapters"),
    Command("adapter: Export", "export", "To a file", "adapters"),
    Command("adapter: Verify", "verify", "Hash the marked files again", "adapters"),
    Command("adapter: New vPLM", "new_vplm", "That starts from it", "adapters"),
    Command("adapter: Show garbage", "garbage", "Only what nobody uses, or all", "adapters"),
    Command("adapter: Remove garbage", "remove_garbage", "All that nobody uses", "adapters"),
    Command("adapter: Delete", "delete_adapter", "One that no vPLM uses", "adapters"),
    Command("job: Train", "start", "Start training a vPLM", "trainer"),
    Command("job: Start again", "again", "With the same parameters; resumes a rebuild", "trainer"),
    Command("job: Show matrix", "matrix", "What it takes for what, held out", "trainer"),
    Command("job: Describe", "describe", "Its parameters and how it ended", "trainer"),
    Command("job: Cancel", "cancel_job", "The job under the cursor", "trainer"),
    Command("playground: Choose vPLM", "choose", "By any part of its name", "playground"),
    Command("playground: Show tokens", "tokens", "Which of them hit the table", "playground"),
    Command("playground: Ask", "ask", "Send the text to the vPLM", "playground"),
    Command("pipeline: Pause", "pause", "Hold the picture, or follow again", "pipeline"),
    Command("pipeline: Zoom in", "zoom(1)", "A shorter stretch of time", "pipeline"),
    Command("pipeline: Zoom out", "zoom(-1)", "A longer stretch of time", "pipeline"),
    Command("pipeline: Scroll back", "scroll_time(-1)", "Earlier, and held there", "pipeline"),
    Command("pipeline: Scroll on", "scroll_time(1)", "Later", "pipeline"),
    Command("pipeline: Follow newest", "newest", "As far as the engine has told", "pipeline"),
    Command("pipeline: Next batch", "step(1)", "Choose the one after", "pipeline"),
    Command("pipeline: Previous batch", "step(-1)", "Choose the one before", "pipeline"),
    Command("pipeline: Describe batch", "describe", "All that is known of it", "pipeline"),
    Command("pipeline: Save trace", "save_trace", "For ui.perfetto.dev, as hmi trace", "pipeline"),
    Command("load: Start", "start", "Requests at a rate, on the vPLMs that there are", "load"),
    Command("load: Stop", "stop", "The run under way; its report is kept", "load"),
    Command("load: Change rate", "rate", "Of the run under way", "load"),
    Command("load: Raise rate", "faster(1)", "By a quarter", "load"),
    Command("load: Lower rate", "faster(-1)", "By a fifth", "load"),
    Command("load: Compare runs", "compare", "The two that are marked", "load"),
    Command("load: Describe run", "describe", "All that is kept of it", "load"),
    Command("load: Delete run", "delete_run", "One that was kept", "load"),
    Command("log: Filter by text", "filter", "Only lines that have it", "logs"),
    Command("log: Filter by level", "level", "All, or from info, warning or error on", "logs"),
    Command("log: Search", "search", "Go to the newest line that has a text", "logs"),
    Command("log: Follow", "follow", "Stay at the end, or no longer", "logs"),
    Command("log: Describe", "describe", "The whole entry", "logs"),
    Command("log: Copy line", "copy", "The one under the cursor", "logs"),
    Command("engine: Start", "start_engine", "In the background, if none runs"),
    Command("engine: Stop", "stop_engine", "It finishes what it has accepted"),
    Command("theme: Dark", "use_theme('dark')", ""),
    Command("theme: Light", "use_theme('light')", ""),
    Command("theme: No colour", "use_theme('mono')", ""),
    Command("help: Show keys", "help", "The keys of this screen"),
    Command("help: Show API call", "show_call", "The screen's call as a curl command"),
    Command("app: Save screenshot", "save_picture", "An SVG in the current folder"),
    Command("app: Quit", "quit", "The engine goes on serving"),
)


class HmiCommands(Provider):
    """The palette's only source."""

    @property
    def _commands(self) -> Iterable[tuple[Command, Callable[[], Awaitable[None]]]]:
        hmi = cast("HmiApp", self.app)
        return (
            (command, partial(hmi.perform, command)) for command in COMMANDS if hmi.offers(command)
        )

    async def discover(self) -> Hits:
        for command, run in self._commands:
            yield DiscoveryHit(command.name, run, help=command.help or None)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command, run in self._commands:
            score = matcher.match(command.name)
            if score > 0:
                yield Hit(score, matcher.highlight(command.name), run, help=command.help or None)
