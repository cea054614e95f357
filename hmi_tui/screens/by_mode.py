"""The screen of each mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.screen import Screen

from hmi_tui.screens.adapters import AdaptersScreen
from hmi_tui.screens.domains import DomainsScreen
from hmi_tui.screens.overview import OverviewScreen
from hmi_tui.screens.pipeline import PipelineScreen
from hmi_tui.screens.playground import PlaygroundScreen
from hmi_tui.screens.tenants import TenantsScreen


def _trainer() -> Screen[None]:
    """Imported when it is first opened: its plots bring numpy, which the first paint need not."""
    from hmi_tui.screens.trainer import TrainerScreen

    return TrainerScreen()


def _load() -> Screen[None]:
    from hmi_tui.screens.load import LoadScreen

    return LoadScreen()


def _logs() -> Screen[None]:
    from hmi_tui.screens.logs import LogsScreen

    return LogsScreen()


SCREENS: Mapping[str, Callable[[], Screen[Any]]] = {
    "overview": OverviewScreen,
    "tenants": TenantsScreen,
    "domains": DomainsScreen,
    "adapters": AdaptersScreen,
    "trainer": _trainer,
    "playground": PlaygroundScreen,
    "pipeline": PipelineScreen,
    "load": _load,
    "logs": _logs,
}


def screen_class(mode: str) -> type[Screen[Any]]:
    """The class of a mode's screen; a mode that is imported late is imported now."""
    made = SCREENS[mode]
    return made if isinstance(made, type) else type(made())
