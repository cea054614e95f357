"""`hmi unit`: what supervises and watches an engine, as files for the programs that do."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmi_tui.cli.grammar import Leaf, current_paths

if TYPE_CHECKING:
    from engine.config import Paths

_KINDS = {"service": "hmi.service", "alerts": "alerts.yml", "dashboard": "dashboard.json"}
_WIDTH, _HEIGHT = 12, 8
"""Of a panel, in Grafana's grid of 24 columns."""
_UNITS = {"seconds": "s", "bytes": "bytes", "share": "percentunit", "requests/s": "reqps"}


@click.command(cls=Leaf)
@click.argument("kind", type=click.Choice(list(_KINDS)), default="service")
def unit(kind: str) -> None:
    """Print a systemd unit, alerts for Prometheus, or a dashboard for Grafana.

    hmi unit > ~/.config/systemd/user/hmi.service has systemd start the engine again when it dies,
    or when it ends itself because its compute loop hangs.
    """
    from engine.config import assets_dir

    text = (assets_dir() / "operations" / _KINDS[kind]).read_text(encoding="utf-8")
    if kind == "service":
        text = _filled(text, current_paths())
    elif kind == "dashboard":
        text = json.dumps(_grafana(json.loads(text)), indent=2)
    click.echo(text.rstrip("\n"))


def _filled(text: str, paths: Paths) -> str:
    """The unit for the command that runs now and for where its home is."""
    beside = Path(sys.executable).with_name("hmi")
    command = str(beside) if beside.exists() else shutil.which("hmi") or "hmi"
    own_home = paths.data == paths.config.parent / "data"
    home = f"--home {_quoted(paths.config.parent)} " if own_home else ""
    start = f"{_quoted(command)} serve {home}--socket {_quoted(paths.socket)}"
    return text.replace("{start}", start)


def _quoted(value: str | Path) -> str:
    """As systemd reads it: specifiers begin with %, words end at blanks."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _grafana(description: dict[str, Any]) -> dict[str, Any]:
    """Grafana's model of what the description says."""
    panels = [
        {
            "id": number,
            "type": "timeseries",
            "title": panel["title"],
            "gridPos": {
                "x": number % 2 * _WIDTH,
                "y": number // 2 * _HEIGHT,
                "w": _WIDTH,
                "h": _HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": _UNITS.get(panel["unit"], "short")}},
            "targets": [
                {"refId": chr(ord("A") + i), "expr": query}
                for i, query in enumerate(panel["queries"])
            ],
        }
        for number, panel in enumerate(description["panels"])
    ]
    return {
        "title": description["title"],
        "uid": "hmi",
        "refresh": description["refresh"],
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }
