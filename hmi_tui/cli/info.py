"""`hmi info`: versions and paths."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import click

from hmi_tui.cli.grammar import Leaf, connect, current_paths
from hmi_tui.cli.output import readable, record, show

PACKAGES = ("hmi-serve", "torch", "transformers", "textual", "sqlite-utils", "fastapi")


@click.command(cls=Leaf)
@readable
def info() -> None:
    """Show versions and paths, engine or not. Quiet: the version."""
    paths = current_paths()
    found: dict[str, Any] = {
        "version": metadata.version("hmi-serve"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES[1:]},
        "paths": {
            "config": str(paths.config),
            "data": str(paths.data),
            "state": str(paths.state),
            "log": str(paths.log),
            "socket": str(paths.socket),
        },
        "engine": _engine_version(),
    }
    show(found, [found["version"]], lambda: record(_lines(found)))


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("hmi", found["version"]),
        ("engine", found["engine"] or "not running"),
        ("python", found["python"]),
        *found["packages"].items(),
        *found["paths"].items(),
    ]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _engine_version() -> str | None:
    from engine.client import EngineNotRunning

    try:
        with connect() as client:
            return client.version().version
    except EngineNotRunning:
        return None
