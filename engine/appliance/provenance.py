"""Where an adapter comes from, as its file and the catalogue carry it: one JSON text, which any
reader of safetensors metadata can show."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import ValidationError

from engine.schema import Provenance

_KEY = "provenance"
_LARGEST = 16 << 10
"""Characters; what a foreign file claims beyond that is not kept."""


def provenance_metadata(provenance: Provenance | None) -> dict[str, str]:
    """What to add to an adapter's metadata; the same provenance gives the same text."""
    if provenance is None:
        return {}
    plain = provenance.model_dump(mode="json")
    return {_KEY: json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)}


def provenance_of(metadata: Mapping[str, str]) -> Provenance | None:
    """What the metadata says; None where it says nothing that can be read."""
    text = metadata.get(_KEY, "")
    if not text or len(text) > _LARGEST:
        return None
    try:
        return Provenance.model_validate_json(text)
    except ValidationError:
        return None
