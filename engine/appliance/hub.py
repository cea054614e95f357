"""Adapters in and out as AdapterHub's folders, which travel as one tar archive.

    adapter_config.json     what it is
    adapter.safetensors     its bottlenecks
    hmi_head.safetensors    ours alone: a head over the mean of all tokens

The head has a file of its own because AdapterHub's heads read the first token alone.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.appliance.adapters import AdapterCalls
from engine.appliance.known_backbones import KnownBackbone
from engine.appliance.made_for import backbone_with
from engine.appliance.received import received, unpacked
from engine.appliance.source import IMPORTED, BlobSource, adapter_metadata
from engine.errors import BadInput
from engine.knowledge.tree import ROOT
from engine.model.adapterhub import HubAdapter, from_hub, to_hub
from engine.model.adapters import AdapterWeights, random_adapter
from engine.schema import Adapter
from store.tensors import Tensors, pack

CONFIG, TENSORS, HEAD = "adapter_config.json", "adapter.safetensors", "hmi_head.safetensors"
_HEAD_FORMAT = "hmi-head-1"
_REMEDY = "Send the folder that AdapterHub's save_adapter(..., use_safetensors=True) wrote."


class HubCalls(AdapterCalls):
    def adapterhub_folder(self, id: str) -> bytes:
        """The folder as a tar archive."""
        core = self._core
        core.catalogue.adapters.get(id)
        arrays, about = core.blobs.get(id)
        made_for = backbone_with(core, about.get("backbone_sha256", ""))
        weights = BlobSource(core.blobs, made_for).checked(arrays, about, id)
        hub = to_hub(
            weights,
            made_for,
            made_for.split,
            name=f"hmi_{id[:12]}",
            model_name=made_for.name,
        )
        document = {**hub.document, "backbone_sha256": made_for.sha256}
        head = {part: weights.arrays()[part] for part in ("head", "head_bias")}
        over = {"format": _HEAD_FORMAT, "labels": about.get("labels", ""), "pooling": "mean"}
        return _archive(
            {
                CONFIG: json.dumps(document, indent=2, sort_keys=True).encode(),
                TENSORS: pack(hub.tensors, {"format": "pt"}),
                HEAD: pack(head, over),
            }
        )

    def import_adapterhub(self, chunks: Iterator[bytes], labels: Sequence[str]) -> Adapter:
        """Take a folder, sent as a tar archive. BadInput says what of it does not fit.

        Its head is ours if the folder has one; else a random one over `labels`, to be trained.
        """
        core = self._core
        files = _extracted(received(chunks))
        document, tensors = _read(files)
        # AdapterHub itself names no weights: then it is taken to be for the engine's own.
        claimed = str(document.get("backbone_sha256", core.backbones.own.sha256))
        backbone = core.known.find(claimed)
        if backbone is None:
            raise BadInput(
                f"The adapter was made for another backbone ({claimed[:12]}), which is not here.",
                remedy="Import that first (hmi backbone import DIR).",
                code="adapter_mismatch",
            )
        head, head_bias, named = self._head(backbone, files, labels)
        hub = HubAdapter(document, tensors)
        found = from_hub(hub, backbone, backbone.split, head)
        weights = AdapterWeights(**{**found.tensors(), "head_bias": torch.from_numpy(head_bias)})
        origin = f"adapterhub: {str(document.get('name', ''))[:64]}"
        about = adapter_metadata(backbone, weights, ROOT, named, IMPORTED) | {"origin": origin}
        return self._take(weights, weights.arrays(), about, origin)

    @staticmethod
    def _head(
        backbone: KnownBackbone, files: dict[str, bytes], labels: Sequence[str]
    ) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
        hidden = backbone.hidden
        if HEAD in files:
            tensors, about = unpacked(files[HEAD])
            head, bias = tensors.get("head"), tensors.get("head_bias")
            named = tuple(about.get("labels", "").split("\n"))
            wanted = ((len(named), hidden), (len(named),))
            if head is None or bias is None or (head.shape, bias.shape) != wanted:
                raise BadInput(
                    f"{HEAD} is no head over {len(named)} labels for a hidden size of {hidden}.",
                    remedy=f"Leave {HEAD} out and name the labels; its head is random then.",
                    code="adapterhub_misfit",
                )
            if labels and tuple(labels) != named:
                raise BadInput(
                    f"The folder's head tells apart {', '.join(named[:10])}, not the labels given.",
                    remedy=f"Give no labels, or leave {HEAD} out.",
                    code="label_count",
                )
            return head, bias.astype(np.float16), named
        if len(labels) < 2:
            raise BadInput(
                "The folder has no head that this engine can use: AdapterHub's read the first "
                "token, ours the mean of all.",
                remedy="Name the labels (--labels a,b); the head is random then: train it.",
                code="labels_missing",
            )
        shape = backbone.adapter_shape
        fresh = random_adapter(shape, len(labels), torch.Generator().manual_seed(0))
        return fresh.head.numpy(), np.zeros(len(labels), np.float16), tuple(labels)


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _extracted(data: bytearray) -> dict[str, bytes]:
    """The files of the archive that mean something here, by name."""
    files: dict[str, bytes] = {}
    try:
        # Uncompressed: nothing in it is larger than it is.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None and entry.name in (CONFIG, TENSORS, HEAD):
                    files[entry.name] = file.read()
    except (tarfile.TarError, ValueError, OSError, EOFError) as error:
        raise BadInput(
            f"The folder cannot be read: {error}.", remedy=_REMEDY, code="not_an_adapter"
        ) from error
    return files


def _read(files: dict[str, bytes]) -> tuple[dict[str, Any], Tensors]:
    document = _document(files)
    if "peft_type" in document:
        raise _peft(str(document["peft_type"])[:32])
    if TENSORS not in files:
        raise BadInput(f"The folder has no {TENSORS}.", remedy=_REMEDY, code="not_an_adapter")
    return document, unpacked(files[TENSORS])[0]


def _peft(kind: str) -> BadInput:
    """A LoRA adds to the inside of projections, up to six in a layer, before attention as well.

    Here they are one product for all tenants, and tenants differ behind two of them alone. Slots
    of a second shape and more gathered products in every layer would slow every mixed batch for
    the sake of those that hold one.
    """
    return BadInput(
        f"The folder holds an adapter of PEFT ({kind}), which changes the inside of the layers' "
        "projections; tenants share those here, and differ in bottlenecks behind them.",
        remedy="Train a vPLM on the same data instead (hmi train); it takes minutes.",
        code="peft_unsupported",
    )


def _document(files: dict[str, bytes]) -> dict[str, Any]:
    if CONFIG not in files:
        raise BadInput(f"The folder has no {CONFIG}.", remedy=_REMEDY, code="not_an_adapter")
    try:
        document = json.loads(files[CONFIG])
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{CONFIG} is not JSON: {error}.", remedy=_REMEDY, code="not_an_adapter"
        ) from error
    if not isinstance(document, dict):
        raise BadInput(f"{CONFIG} is no document.", remedy=_REMEDY, code="not_an_adapter")
    return document
