"""Where things lie in a home: what `engine.config.Paths` says of `data`, for who has no engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.files import DEBRIS
from store.sums import SUFFIX

_LOCK = "engine.lock"
_SCRATCH = (("training", "states"), ("training", "hplms"), ("training", "rows"))
"""What no engine reads again after its start."""
_RESULT = ".result"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders below `root`, the home's `data`."""

    root: Path

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue.db"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def backbones(self) -> Path:
        return self.root / "backbones"

    @property
    def corpora(self) -> Path:
        return self.root / "corpora"

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def lock(self) -> Path:
        """Held with flock by whoever changes the home: an engine, a restore."""
        return self.root / _LOCK

    @property
    def arrived(self) -> Path:
        """A whole home that takes this one's place at the next opportunity."""
        return self.root / "restored"

    @property
    def settling(self) -> Path:
        """What of it has yet to go to its place, once everything old is gone."""
        return self.root / "settling"

    def name(self, path: Path) -> str:
        """What a file below `root` is called in reports and backups."""
        return path.relative_to(self.root).as_posix()

    def has_sum(self, name: str) -> bool:
        """Whether the file so called has its sum beside it; others are checked in other ways."""
        kind = name.partition("/")[0]
        if kind == self.tables.name:
            return name.endswith("/manifest.json")
        return kind not in (self.blobs.name, self.datasets.name)

    def names_others(self, name: str) -> bool:
        """Whether the file so called says what others there must be."""
        return name == self.catalogue.name or name.endswith("/manifest.json")

    def uncatalogued(self) -> Iterator[Path]:
        """Files that are kept for what they are, not because the catalogue names them: texts,
        checkpoints, traffic, imported backbones, and whatever else lies there."""
        named = {self.blobs, self.datasets, self.arrived, self.settling}
        stack = [self.root]
        while stack:
            for path in sorted(stack.pop().iterdir()):
                if path in named or path.name.startswith(DEBRIS) or self._is_apart(path):
                    continue
                if path.is_dir() and not path.is_symlink():
                    stack.append(path)
                elif path.suffix not in (SUFFIX, _RESULT):
                    yield path

    def _is_apart(self, path: Path) -> bool:
        parts = path.relative_to(self.root).parts
        if len(parts) == 1:
            return path.name == _LOCK or path.name.startswith(self.catalogue.name)
        in_table = parts[0] == self.tables.name and len(parts) == 3 and parts[2].isdecimal()
        return in_table or parts in _SCRATCH
