"""What using the engine costs: prices from config.toml, and what a tenant's use comes to."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.schema import Cost

_REMEDY = (
    "Write, below [tariff], numbers for gib_month, thousand_requests and training_minute, and a "
    "text for currency; each may be left out."
)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in `currency`, which is any word an operator likes."""

    gib_month: float = 0.0
    """Of one GiB stored for a month."""
    thousand_requests: float = 0.0
    training_minute: float = 0.0
    currency: str = "EUR"

    def cost(self, stored_bytes: int, requests: int, training_s: float) -> Cost:
        """Of a month in which so much is stored throughout, asked and trained."""
        storage = self.gib_month * stored_bytes / (1 << 30)
        asked = self.thousand_requests * requests / 1000
        trained = self.training_minute * training_s / 60
        return Cost(
            currency=self.currency,
            storage=storage,
            requests=asked,
            training=trained,
            total=storage + asked + trained,
        )


class TariffFile:
    """The `[tariff]` of config.toml, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[float, Tariff | None, BadInput | None] | None = None

    def now(self) -> Tariff | None:
        """The tariff; None without one, and where it cannot be used: see `fault`."""
        return self._latest()[1]

    def fault(self) -> BadInput | None:
        """Why the tariff that is there cannot be used."""
        return self._latest()[2]

    def _latest(self) -> tuple[float, Tariff | None, BadInput | None]:
        try:
            changed = self._path.stat().st_mtime
        except OSError:
            self._read = None
            return 0.0, None, None
        if self._read is None or self._read[0] != changed:
            try:
                self._read = changed, read_tariff(self._path), None
            except BadInput as fault:
                self._read = changed, None, fault
        return self._read


def read_tariff(path: Path) -> Tariff | None:
    """The tariff in the file; None if it has none. BadInput if it cannot be read."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error
    found = document.get("tariff")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise BadInput(f"tariff in {path} is no table.", remedy=_REMEDY)
    known = {each.name for each in fields(Tariff)}
    for name, value in found.items():
        if name not in known or not _fits(name, value):
            raise BadInput(f"tariff.{name} in {path} cannot be {value!r}.", remedy=_REMEDY)
    return Tariff(**found)


def _fits(name: str, value: Any) -> bool:
    if name == "currency":
        return isinstance(value, str) and 0 < len(value) <= 8
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0
