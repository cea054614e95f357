"""Files whose names an operator typed: one that is there, or one to be made."""

from __future__ import annotations

from pathlib import Path

from engine.client import BadInput, Conflict


def file_at(typed: str) -> Path:
    """The file that was typed. Raises BadInput if there is none."""
    path = Path(typed).expanduser()
    if not typed or not path.is_file():
        raise BadInput(
            f"There is no file {typed!r}." if typed else "No file was given.",
            remedy="Type its path; the right arrow completes a name.",
        )
    return path


def new_file(typed: str, such_as: str) -> Path:
    """The place that was typed, for a file `such_as` this one. BadInput or Conflict if none can
    be made there."""
    if not typed:
        raise BadInput("The name of the file is missing.", remedy=f"Type one, such as {such_as}.")
    path = Path(typed).expanduser()
    check_folder(path)
    if path.is_dir():
        raise BadInput(
            f"{path} is a folder.", remedy=f"Name a file in it, such as {path / such_as}."
        )
    if path.exists():
        raise Conflict(f"There is {path} already.", remedy="Name a file that is not there yet.")
    return path


def check_folder(path: Path | None) -> None:
    """BadInput, before the engine is asked, if `path` cannot be written."""
    if path is not None and not path.absolute().parent.is_dir():
        raise BadInput(
            f"There is no folder {path.absolute().parent}.",
            remedy="Name a file in a folder that exists.",
        )
