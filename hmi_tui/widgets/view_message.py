"""What a list tells of itself, with the list and the row it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from hmi_tui.widgets.paged_view import PagedView


class ViewMessage(Message):
    """From `view`; `row` is the one under its cursor, None if there is none or it is not meant."""

    def __init__(self, view: PagedView[Any], row: Any = None) -> None:
        super().__init__()
        self.view = view
        self.row = row

    @property
    def control(self) -> PagedView[Any]:
        return self.view


class NewestOnly(ViewMessage):
    """Takes the place of an earlier one of its kind, from the same list, that nobody saw yet."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, type(self)) and message.view is self.view
