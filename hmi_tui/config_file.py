"""What the operator wrote into config.toml, and the line of each thing, for complaints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HEADER = re.compile(r"^\s*\[\s*([\w.-]+)\s*\]")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)|\s*\(at end of document\)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something in the file that cannot be used; `line` is 0 where it is about the whole file."""

    path: Path
    line: int
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else str(self.path)
        return f"{where}: {self.what} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file as it was read. One that is not there is empty; `broken` says why one cannot be."""

    path: Path
    text: str = ""
    tables: Mapping[str, Any] = field(default_factory=dict)
    broken: Complaint | None = None

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(path)
        except (OSError, UnicodeError) as error:
            return cls(path, broken=Complaint(path, 0, f"It cannot be read: {error}."))
        import tomllib

        try:
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            place = _AT_LINE.search(str(error))
            line = int(place[1]) if place and place[1] else len(text.splitlines())
            why = _AT_LINE.sub("", str(error))
            return cls(path, text, broken=Complaint(path, line, f"This is not TOML: {why}."))

    def line_of(self, table: str, name: str = "") -> int:
        """The line where `name` of `table` is given, or the table's; 0 if it is not to be found."""
        wanted = re.compile(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*=") if name else None
        here = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            header = _HEADER.match(line)
            if header:
                here = header[1]
                if wanted is None and here == table:
                    return number
            elif here == table and wanted is not None and wanted.match(line):
                return number
        return 0
