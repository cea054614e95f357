"""An n-gram encoder as a file: float16 safetensors that say how they were made."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.config import assets_dir
from engine.errors import Damaged, Unavailable
from engine.knowledge.retrieve import Damage
from engine.model.backbone import Backbone
from engine.model.checkpoint import BUNDLED_SHA256
from engine.model.ngram_encoder import EncoderForm, NgramEncoder

FORMAT = "hmi-ngram-encoder-1"


def save_encoder(encoder: NgramEncoder, path: Path, made: dict[str, str]) -> None:
    """Write the trained weights (not the backbone's word vectors) with `made` as provenance."""
    form = encoder.form
    metadata = {
        "format": FORMAT,
        "form": form.form,
        "layers": str(form.layers),
        "hidden": str(form.hidden),
        "backbone_sha256": form.backbone_sha256,
        **made,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.to(torch.float16).contiguous() for name, t in encoder.state_dict().items()}
    save_file(tensors, path, metadata=metadata)


def general_encoder(given: Path | None, backbone: Backbone) -> tuple[NgramEncoder, Damage | None]:
    """The general encoder in file `given`, or the bundled one.

    A backbone that the bundled encoder was not made for still serves in exact mode: then the
    encoder is an undistilled one, and the damage says that nobody may use it.
    """
    if given is not None or backbone.checkpoint.sha256 == BUNDLED_SHA256:
        return load_encoder(
            given or assets_dir() / "encoder" / "general.safetensors", backbone
        ), None
    undistilled = NgramEncoder(backbone).eval().requires_grad_(requires_grad=False)
    return undistilled, Damage(
        f"There is no n-gram encoder for the backbone {backbone.checkpoint.name}.",
        "Ask in exact mode, or distil one (python -m engine.knowledge.distil --backbone DIR) and "
        "start the engine with --encoder FILE.",
        "no_encoder",
    )


def load_encoder(path: Path, backbone: Backbone) -> NgramEncoder:
    """The encoder in `path`, checked against the backbone it was distilled from.

    Raises Damaged if the file cannot be read and Unavailable if it belongs to another backbone.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise Damaged(
            f"The n-gram encoder cannot be read: {path}: {error}",
            remedy="Reinstall the project, or distil the encoder again.",
            code="encoder_damaged",
        ) from error
    encoder = NgramEncoder(backbone)
    found = EncoderForm(
        metadata.get("form", ""),
        int(metadata.get("layers", 0)),
        int(metadata.get("hidden", 0)),
        metadata.get("backbone_sha256", ""),
    )
    if metadata.get("format") != FORMAT or found != encoder.form:
        raise Unavailable(
            f"The n-gram encoder {path.name} was made for another backbone or form ({found}; "
            f"here {encoder.form}).",
            remedy="Serve in exact mode, or distil an encoder for this backbone.",
            code="encoder_mismatch",
        )
    encoder.load(tensors)
    return encoder.eval().requires_grad_(requires_grad=False)
