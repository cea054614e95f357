"""Bottleneck adapters as the library `adapters` (AdapterHub) keeps them, there and back.

A folder of theirs has a document, `adapter_config.json`, and tensors by the names of the modules
that they sit in. What their configuration can say and ours cannot is refused with the reason:
nothing is imported that would answer differently here than there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.model.adapters import PLACES, AdapterWeights

Arrays = Mapping[str, NDArray[Any]]

_TENSOR = re.compile(
    r"(?:bert\.)?encoder\.layer\.(\d{1,4})\.(attention\.)?output\.adapters\.([^.]+)\."
    r"adapter_(down\.0|up)\.(weight|bias)"
)
_VERSION = "adapters.1.3.0"
"""Whose layout this is."""
_REMEDY = (
    "Make it there with DoubleSeqBnConfig(non_linearity='gelu', leave_out=[the lower layers]), and "
    "save it with use_safetensors=True."
)
_OTHER_KINDS = {
    "lora": "a LoRA, which changes the backbone's own products; here they are shared by all",
    "prefix_tuning": "prefix tuning, which adds keys and values to attention, not a bottleneck",
    "prompt_tuning": "prompt tuning, which adds tokens to the text, not a bottleneck",
    "reft": "a ReFT intervention, not a bottleneck",
    "union": "a union of several kinds, not one bottleneck",
}
_MUST_BE: tuple[tuple[str, object, str], ...] = (
    ("is_parallel", False, "it is parallel to its layer; here it comes after the projection"),
    ("non_linearity", "gelu", "its non-linearity is {!r}; here it is gelu"),
    ("cross_adapter", False, "it adapts cross-attention, which an encoder has not"),
    ("original_ln_before", False, "it comes after the layer's norm; here it comes before"),
    ("original_ln_after", True, "it leaves out the layer's norm"),
    ("residual_before_ln", True, "its own residual is taken after the layer's norm"),
    ("adapter_residual_before_ln", False, "it has a norm of its own between up and residual"),
    ("ln_before", False, "it has a norm of its own before down"),
    ("ln_after", False, "it has a norm of its own after up"),
    ("use_gating", False, "it has a gate"),
    ("phm_layer", False, "its products are hypercomplex (Compacter)"),
    ("inv_adapter", None, "it has an invertible adapter at the embeddings"),
)
"""Configuration, what it must be, and what it means if it is not."""


class Sizes(Protocol):
    """Of the backbone that an adapter is for, loaded or not."""

    @property
    def layers(self) -> int: ...
    @property
    def hidden(self) -> int: ...


@dataclass(frozen=True, slots=True)
class HubAdapter:
    """A folder's document and tensors."""

    document: Mapping[str, Any]
    tensors: Arrays


def to_hub(
    weights: AdapterWeights, shape: Sizes, split: int, *, name: str, model_name: str
) -> HubAdapter:
    """An adapter for layers `split` and on in their layout, float32; its head is not part of it."""
    rank = weights.shape.rank
    tensors: dict[str, NDArray[Any]] = {}
    for layer in range(weights.shape.layers):
        for place in weights.places:
            at = "attention.output" if place == "attention" else "output"
            module = f"bert.encoder.layer.{split + layer}.{at}.adapters.{name}"
            here = layer, PLACES.index(place)
            tensors[f"{module}.adapter_down.0.weight"] = _float(weights.down[here].T)
            tensors[f"{module}.adapter_down.0.bias"] = _float(weights.down_bias[here])
            tensors[f"{module}.adapter_up.weight"] = _float(weights.up[here].T)
            tensors[f"{module}.adapter_up.bias"] = _float(weights.up_bias[here])
    config = {key: value for key, value, _ in _MUST_BE} | {
        "mh_adapter": "attention" in weights.places,
        "output_adapter": "feed_forward" in weights.places,
        "reduction_factor": _reduction(shape.hidden, rank),
        "leave_out": list(range(split)),
        "scaling": 1.0,
        "dropout": 0.0,
        "init_weights": "bert",
    }
    document = {
        "config": config,
        "hidden_size": shape.hidden,
        "model_class": "BertAdapterModel",
        "model_name": model_name,
        "model_type": "bert",
        "name": name,
        "version": _VERSION,
    }
    return HubAdapter(document, tensors)


def from_hub(hub: HubAdapter, shape: Sizes, split: int, head: NDArray[Any]) -> AdapterWeights:
    """The adapter that a folder holds, float16, with `head` (C, H) and no bias.

    Places that it leaves out are zero there, which is the identity. BadInput says what of it does
    not fit a backbone of `shape` whose lower `split` layers are not computed.
    """
    config = _checked(hub.document, shape)
    parts = _by_place(hub.tensors, config, shape, split)
    rank = max(len(part) for (*_, kind), part in parts.items() if kind == "down_bias")
    layers, places, hidden = shape.layers - split, len(PLACES), shape.hidden
    arrays: dict[str, NDArray[Any]] = {
        "down": np.zeros((layers, places, hidden, rank), np.float32),
        "down_bias": np.zeros((layers, places, rank), np.float32),
        "up": np.zeros((layers, places, rank, hidden), np.float32),
        "up_bias": np.zeros((layers, places, hidden), np.float32),
    }
    scaling = float(config.get("scaling", 1.0))
    for (layer, place, kind), part in parts.items():
        value = part.astype(np.float32) * (scaling if kind.startswith("up") else 1.0)
        # Narrower ones are filled up with zeros, which change nothing.
        arrays[kind][layer, place][tuple(slice(size) for size in value.shape)] = value
    arrays |= {"head": head, "head_bias": np.zeros(len(head), np.float32)}
    with np.errstate(over="ignore"):
        narrow = {name: array.astype(np.float16) for name, array in arrays.items()}
    for name, array in narrow.items():
        if not np.isfinite(array).all():
            raise _misfit(f"{name} has numbers that are not finite, or too large for float16")
    return AdapterWeights(**{name: torch.from_numpy(array) for name, array in narrow.items()})


def _checked(document: Mapping[str, Any], shape: Sizes) -> Mapping[str, Any]:
    """Its configuration, if ours can say the same."""
    config = document.get("config")
    if not isinstance(config, dict):
        raise _misfit(
            "its adapter_config.json has no config; a name of one stands for nothing here"
        )
    kind = config.get("architecture")
    if kind is not None:
        raise _misfit(f"it is {_OTHER_KINDS.get(str(kind), f'of the kind {kind!r}')}")
    if document.get("model_type") != "bert":
        raise _misfit(f"it is for a model of the type {document.get('model_type')!r}, not bert")
    if document.get("hidden_size") != shape.hidden:
        raise _misfit(
            f"it is for a hidden size of {document.get('hidden_size')}; here it is {shape.hidden}"
        )
    for key, value, meaning in _MUST_BE:
        found = config.get(key, value)
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            raise _misfit(meaning.format(found))
    scaling = config.get("scaling", 1.0)
    if isinstance(scaling, bool) or not isinstance(scaling, int | float):
        raise _misfit(f"its scaling is {scaling!r}, which is learned; here it is a number")
    return config


def _by_place(
    tensors: Arrays, config: Mapping[str, Any], shape: Sizes, split: int
) -> dict[tuple[int, int, str], NDArray[Any]]:
    """By upper layer, place and kind: `down` (H, r), `down_bias` (r,), `up` (r, H), `up_bias`."""
    parts: dict[tuple[int, int, str], NDArray[Any]] = {}
    names: set[str] = set()
    for name, array in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise _misfit(f"it has {name!r}, which is no part of a bottleneck after a projection")
        layer, attention, adapter, matrix, what = match.groups()
        names.add(adapter)
        if int(layer) >= shape.layers:
            raise _misfit(f"it has layer {layer}; the backbone's last is {shape.layers - 1}")
        if int(layer) < split:
            raise _misfit(
                f"it has layer {layer}; layers 0 to {split - 1} are looked up here, not computed, "
                "so nothing can adapt them"
            )
        kind = matrix.removesuffix(".0") + ("_bias" if what == "bias" else "")
        place = PLACES.index("attention" if attention else "feed_forward")
        parts[int(layer) - split, place, kind] = array.T
    if len(names) != 1:
        raise _misfit(f"it holds {len(names)} adapters ({', '.join(sorted(names)) or 'none'})")
    for layer_at, place in {key[:2] for key in parts}:
        _check_shapes(parts, layer_at, place, shape.hidden)
    left_out = config.get("leave_out") or []
    if isinstance(left_out, list) and any(key[0] + split in left_out for key in parts):
        raise _misfit("it has tensors of layers that its configuration leaves out")
    return parts


def _check_shapes(
    parts: Mapping[tuple[int, int, str], NDArray[Any]], layer: int, place: int, hidden: int
) -> None:
    found = {key[2]: part.shape for key, part in parts.items() if key[:2] == (layer, place)}
    rank = max(found.get("down_bias", (0,)))
    wanted = {"down": (hidden, rank), "down_bias": (rank,), "up": (rank, hidden)}
    if not rank or found != wanted | {"up_bias": (hidden,)}:
        shapes = ", ".join(f"{kind} {shape}" for kind, shape in sorted(found.items()))
        raise _misfit(f"upper layer {layer}'s {PLACES[place]} is no whole bottleneck: {shapes}")


def _reduction(hidden: int, rank: int) -> float:
    """The factor from which they find the rank again, as hidden // factor."""
    exact = hidden / rank
    if exact.is_integer():
        return int(exact)
    return hidden / (rank + 0.5)


def _float(tensor: torch.Tensor) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
    return found


def _misfit(why: str) -> BadInput:
    return BadInput(
        f"The AdapterHub adapter does not fit: {why}.", remedy=_REMEDY, code="adapterhub_misfit"
    )
