"""Files and folders for their owner alone, whatever the umask, and never through a link."""

from __future__ import annotations

import os
from pathlib import Path

from store.errors import BadInput


def new_folder(folder: Path) -> None:
    """Make `folder`; nothing happens if it is there. OSError as mkdir gives it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o700)


def new_file(path: Path) -> int:
    """A handle that writes a file which was not there. OSError as open gives it."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    os.fchmod(handle, 0o600)
    return handle


def check_no_link(path: Path) -> None:
    """BadInput if `path` is a symbolic link."""
    if path.is_symlink():
        raise BadInput(
            f"{path} is a symbolic link; nothing is written through one.",
            remedy="Put what it points to in its place, or mount the other disk there.",
        )
