"""What can go wrong with what lasts. The engine maps these by `code`; nothing else is raised.

The exceptions to that are mistakes in the calling program (a wrong type or shape), which are
plain TypeError and ValueError.
"""

from __future__ import annotations

from typing import ClassVar


class StoreError(Exception):
    """A failure with a stable `code`, a `detail` that names the thing and a `remedy`."""

    default_code: ClassVar[str] = "internal"
    default_remedy: ClassVar[str] = ""

    def __init__(self, detail: str, *, remedy: str = "", code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy or self.default_remedy
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.detail} {self.remedy}".strip()


class NotFound(StoreError):
    default_code = "not_found"


class Exists(StoreError):
    """Another thing has that name."""

    default_code = "conflict"


class InUse(StoreError):
    """The thing cannot go or change while others rest on it."""

    default_code = "conflict"


class BadInput(StoreError):
    """A name, a sort order or a value that cannot be stored."""

    default_code = "bad_input"


class BadText(BadInput):
    """A corpus or dataset that is not text; the detail gives the line or row, from 1, and `line`
    the line of a corpus."""

    def __init__(
        self, detail: str, *, remedy: str = "", code: str = "", line: int | None = None
    ) -> None:
        super().__init__(detail, remedy=remedy, code=code)
        self.line = line


class Damaged(StoreError):
    """A file does not hold what it should; the detail names the file."""

    default_code = "damaged"
    default_remedy = "Restore it from a backup, or make anew what it belongs to."


class NoSpace(StoreError):
    """The disk or the quota is full. What was being written is gone; the rest is untouched."""

    default_code = "no_space"
    default_remedy = "Free some space on that disk, then try again."


class DiskFailed(StoreError, OSError):
    """The disk, or who may write to it, fails what was asked; nothing of it is there."""

    default_code = "disk_failed"
    default_remedy = "Look after the disk and its mode (hmi doctor), then try again."


class TooNew(StoreError):
    """A newer version of the program wrote this; reading it could lose what it added."""

    default_code = "schema_too_new"
    default_remedy = "Upgrade hmi to the version that wrote it, or use another --home."
