"""Runs that have ended, as small JSON files: they survive the application."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from engine.client import HmiError, Paths
from hmi_tui.load.run import LoadRun

MOST = 50
"""The oldest beyond these are removed."""


def kept_folder(paths: Paths) -> Path:
    return paths.state / "load"


def keep(folder: Path, run: LoadRun) -> None:
    """Write the run's file, whole or not at all. HmiError if it cannot be written."""
    path = _file(folder, run.id)
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_text(run.model_dump_json(), encoding="utf-8")
        part.replace(path)
        for old in sorted(folder.glob("*.json"))[:-MOST]:
            old.unlink()
    except OSError as error:
        raise HmiError(
            f"The run cannot be kept in {folder}: {error.strerror}.",
            remedy="Make room there, or give the folder back to its owner.",
        ) from error


def kept_runs(folder: Path) -> list[LoadRun]:
    """All that can be read, the newest first."""
    runs = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            runs.append(LoadRun.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            # Not ours, or of another version: the rest is still of use.
            continue
    return runs


def forget(folder: Path, run_id: str) -> None:
    """Remove the run's file, if it is there."""
    _file(folder, run_id).unlink(missing_ok=True)


def _file(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.json"
