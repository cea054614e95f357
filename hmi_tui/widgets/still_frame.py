"""A frame whose titles may be said at every tick: another one is drawn, and only its line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from textual.geometry import Region
from textual.widget import Widget

_TITLE: Any = vars(Widget)["border_title"]
_SUBTITLE: Any = vars(Widget)["border_subtitle"]


class StillFrame(Widget):
    """Textual draws a whole widget again whenever its title is set, the same or not."""

    _said: tuple[Any, Any] = (None, None)
    _only: Region | None = None

    @property
    def border_title(self) -> Any:
        return _TITLE.__get__(self)

    @border_title.setter
    def border_title(self, title: Any) -> None:
        if title != self._said[0]:
            self._said = (title, self._said[1])
            with self._drawing(0):
                _TITLE.__set__(self, title)

    @property
    def border_subtitle(self) -> Any:
        return _SUBTITLE.__get__(self)

    @border_subtitle.setter
    def border_subtitle(self, title: Any) -> None:
        if title != self._said[1]:
            self._said = (self._said[0], title)
            with self._drawing(max(0, self.outer_size.height - 1)):
                _SUBTITLE.__set__(self, title)

    @contextmanager
    def _drawing(self, line: int) -> Iterator[None]:
        """What is asked to be drawn inside is this line of the frame alone."""
        if self.is_mounted:
            # Regions count from the content's corner, which the frame is outside of.
            self._only = Region(0, line, self.outer_size.width, 1).translate(-self.content_offset)
        try:
            yield
        finally:
            self._only = None

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        if self._only is not None:
            regions = (self._only,)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
