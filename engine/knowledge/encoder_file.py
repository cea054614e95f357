"""What distillation made, as files: an n-gram encoder and its bridge, float16 safetensors that say
how they were made."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.config import assets_dir
from engine.errors import Damaged, Unavailable
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Damage
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.checkpoint import BUNDLED_SHA256
from engine.model.ngram_encoder import NgramEncoder, form_of

FORMAT = "hmi-ngram-encoder-2"
_ENCODER, _BRIDGE = "encoder.", "bridge."


def pack_hplm(hplm: Hplm, made: dict[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file, with `made` as provenance."""
    tensors = _half(hplm.encoder.state_dict(), _ENCODER) | _half(hplm.bridge.state_dict(), _BRIDGE)
    return tensors, _metadata(hplm.encoder, hplm.bridge) | made


def save_hplm(hplm: Hplm, path: Path, made: dict[str, str]) -> None:
    """Write the trained weights (not the backbone's word vectors)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors, metadata = pack_hplm(hplm, made)
    save_file(tensors, path, metadata=metadata)


def general_hplm(given: Path | None, backbone: Backbone) -> tuple[Hplm, Damage | None]:
    """The general file `given`, or the bundled one.

    A backbone, or a split, that the bundled one was not made for still serves in exact mode: then
    the encoder is an undistilled one, and the damage says that nobody may use it.
    """
    if given is not None:
        return load_hplm(given, backbone), None
    if backbone.shape.causal or backbone.checkpoint.sha256 == BUNDLED_SHA256:
        path = bundled_file(backbone.split, causal=backbone.shape.causal)
        # Decoders come from many folders, and ours may have been trained again.
        if path.exists() and (not backbone.shape.causal or _made_for(path, backbone)):
            return load_hplm(path, backbone), None
    return Hplm.untrained(backbone).freeze(), Damage(
        f"There is no n-gram encoder for the backbone {backbone.checkpoint.name} "
        f"with {backbone.split} lower layers.",
        f"Ask in exact mode, or train one: {_training(backbone)}.",
        "no_encoder",
    )


def bundled_file(split: int, *, causal: bool = False) -> Path:
    """Where the shipped general encoder for `split` lower layers is, if there is one."""
    name = "causal" if causal else "general"
    return assets_dir() / "encoder" / f"{name}-{split}.safetensors"


def _training(backbone: Backbone) -> str:
    if backbone.shape.causal:
        return "hmi domain rebuild general --kind generator --train-minutes 60"
    name = backbone.checkpoint.name
    return (
        "hmi domain rebuild general --train-minutes 60 "
        f"(with --backbone {name} where that is not the engine's own)"
    )


def _made_for(path: Path, backbone: Backbone) -> bool:
    metadata, _ = _read(path)
    return metadata.get("backbone_sha256") == backbone.checkpoint.sha256


def load_hplm(path: Path, backbone: Backbone) -> Hplm:
    """The file `path`, checked against the backbone it was distilled from.

    Raises Damaged if it cannot be read and Unavailable if it belongs to another backbone.
    """
    metadata, tensors = _read(path)
    _check(metadata, path.name, backbone)
    encoder = NgramEncoder(backbone, _widths(metadata["widths"]))
    bridge = Bridge(backbone, _widths(metadata["bridge_widths"]))
    encoder.load(_part(tensors, _ENCODER))
    bridge.load(_part(tensors, _BRIDGE))
    return Hplm(encoder, bridge).freeze()


def _metadata(encoder: NgramEncoder, bridge: Bridge) -> dict[str, str]:
    form = encoder.form
    return {
        "format": FORMAT,
        "form": form.form,
        "split": str(form.split),
        "hidden": str(form.hidden),
        "widths": _spell(form.widths),
        "bridge_widths": _spell(bridge.widths),
        "backbone_sha256": form.backbone_sha256,
    }


def _check(metadata: dict[str, str], name: str, backbone: Backbone) -> None:
    found = tuple(
        metadata.get(key, "") for key in ("format", "form", "split", "hidden", "backbone_sha256")
    )
    here = (
        FORMAT,
        form_of(backbone.shape),
        str(backbone.split),
        str(backbone.shape.hidden),
        backbone.checkpoint.sha256,
    )
    if found != here:
        raise Unavailable(
            f"The n-gram encoder {name} was made for another backbone, split or form "
            f"({', '.join(found)}; here {', '.join(here)}).",
            remedy=f"Serve in exact mode, or train one for this backbone: {_training(backbone)}.",
            code="encoder_mismatch",
        )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise Damaged(
            f"The n-gram encoder cannot be read: {path}: {error}",
            remedy="Reinstall the project, or train the encoder again.",
            code="encoder_damaged",
        ) from error


def _half(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: t.cpu().half().contiguous() for name, t in tensors.items()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _spell(widths: tuple[int, ...]) -> str:
    return ",".join(map(str, widths))


def _widths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)
