"""Where the text is typed: enter sends it, ctrl+j breaks the line."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class AskBox(TextArea):
    class Sent(Message):
        """Enter was pressed on this text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent(self.text))
        elif event.key == "ctrl+j":
            event.stop()
            event.prevent_default()
            self.insert("\n")
        else:
            await super()._on_key(event)
