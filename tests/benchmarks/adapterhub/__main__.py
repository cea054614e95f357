"""The round trip through AdapterHub: its own library against ours, on the bundled backbone.

    python -m tests.benchmarks.adapterhub --venvs DIR

Makes on first use an environment DIR/adapters (`pip install torch==2.13.0 adapters`, about two
gigabytes), for the library pins a transformers of its own. An adapter of ours is loaded there and
must give the same logits, float32, exact mode; one made there is imported here and must too; every
other kind that the library offers is made there and must be refused here, with the reason.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from engine.bench.ending import throwaway_folder
from engine.bench.table import table
from engine.errors import BadInput
from engine.model.adapterhub import HubAdapter, from_hub, to_hub
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone, load_backbone
from engine.model.batched import bottleneck
from engine.model.packing import Packing
from store.tensors import pack, unpack
from tests.benchmarks.peers.environments import PEERS, NotInstalled, python_of

TEXTS = [
    "a gorgeous, witty, seductive movie",
    "no",
    "please refund my order, the parcel was three weeks late and the box was open",
    "The activity of the enzyme was measured in the presence of ten inhibitors. " * 6,
]
LABELS = 5
RANK = 64
TOLERANCE = 1e-4
"""Of a logit, float32: sums are taken in another order there."""
WORKER = Path(__file__).with_name("worker.py")


@click.command()
@click.option("--venvs", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--split", type=int, default=4, show_default=True)
def main(venvs: Path, split: int) -> None:
    """Compare both directions, and say what is refused."""
    peer = next(peer for peer in PEERS if peer.name == "adapters")
    try:
        python = python_of(peer, venvs, lambda line: click.echo(line, err=True))
    except NotInstalled as error:
        raise click.ClickException(f"adapters cannot be installed: {error}") from error
    backbone = load_backbone(split=split)
    rows = [backbone.cut(ids)[0] for ids in backbone.tokenize(TEXTS)]
    ours = _telling(AdapterShape(backbone.shape.layers - split, backbone.shape.hidden, RANK))
    with throwaway_folder() as folder:
        written = folder / "ours"
        written.mkdir()
        hub = to_hub(ours, backbone.shape, split, name="ours", model_name=backbone.checkpoint.name)
        (written / "adapter_config.json").write_text(json.dumps(hub.document))
        (written / "adapter.safetensors").write_bytes(pack(hub.tensors, {"format": "pt"}))
        order = {
            "checkpoint": str(backbone.checkpoint.folder),
            "split": split,
            "rows": rows,
            "ours": str(written),
            "folder": str(folder),
        }
        told = subprocess.run(
            [str(python), str(WORKER)],
            input=json.dumps(order),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        answer: dict[str, Any] = json.loads(told.stdout)
        lines = [_exported(backbone, rows, ours, answer)]
        for number, (what, pooled) in enumerate(answer["made"].items()):
            kind = folder / str(number)
            lines.append(_imported(backbone, rows, kind, what, torch.tensor(pooled), ours))
    click.echo(", ".join(f"{name} {number}" for name, number in answer["versions"].items()))
    click.echo(
        table(("WHAT", "RESULT", ">LARGEST DIFFERENCE OF A LOGIT", ">ADAPTER MOVES IT BY"), lines)
    )
    if not all(line[1] in ("same", "refused") or line[1].startswith("refused") for line in lines):
        raise click.ClickException("The two libraries do not answer the same.")


def _exported(
    backbone: Backbone, rows: list[list[int]], ours: AdapterWeights, answer: dict[str, Any]
) -> tuple[str, str, str, str]:
    mine = _logits(ours, _pooled(backbone, rows, ours))
    there, bare = (_logits(ours, torch.tensor(answer[name])) for name in ("loaded", "bare"))
    return _line("ours, loaded there", mine, there, bare)


def _imported(
    backbone: Backbone,
    rows: list[list[int]],
    folder: Path,
    what: str,
    pooled: Tensor,
    head: AdapterWeights,
) -> tuple[str, str, str, str]:
    document = json.loads((folder / "adapter_config.json").read_text())
    try:
        file = folder / "adapter.safetensors"
        found = unpack(file.read_bytes())[0] if file.exists() else {}
        hub = HubAdapter(document, found)
        weights = from_hub(hub, backbone.shape, backbone.split, head.head.numpy())
        if weights.shape.rank > RANK:
            raise BadInput(f"Rank {weights.shape.rank} does not fit the arena's {RANK}.")
    except (BadInput, ValueError) as error:
        reason = error.detail if isinstance(error, BadInput) else str(error)
        return what, f"refused: {reason}", "", ""
    bare = _logits(weights, _pooled(backbone, rows, None))
    mine = _logits(weights, _pooled(backbone, rows, weights))
    return _line(f"{what}, imported", mine, _logits(weights, pooled), bare)


def _line(what: str, mine: Tensor, there: Tensor, bare: Tensor) -> tuple[str, str, str, str]:
    difference, moved = (float((mine - other).abs().max()) for other in (there, bare))
    verdict = "same" if difference <= TOLERANCE < moved else "DIFFERENT"
    return what, verdict, f"{difference:.1e}", f"{moved:.1e}"


def _telling(shape: AdapterShape) -> AdapterWeights:
    """Unlike a fresh one, not nearly the identity; of numbers that float16 holds."""
    made = random_adapter(shape, LABELS, torch.Generator().manual_seed(7))
    rng = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for part in (made.up, made.up_bias, made.down_bias):
            part.normal_(0.0, 0.1, generator=rng)
    return made.to(torch.float16)


def _logits(weights: AdapterWeights, pooled: Tensor) -> Tensor:
    return pooled @ weights.head.float().T + weights.head_bias.float()


def _pooled(backbone: Backbone, rows: list[list[int]], weights: AdapterWeights | None) -> Tensor:
    packing = Packing.of([len(row) for row in rows])
    ids = torch.from_numpy(np.concatenate([np.array(row) for row in rows]))
    w = None if weights is None else weights.to(torch.float32)

    def adapt(x: Tensor, layer: int, place: str) -> Tensor:
        if w is None:
            return x
        at = layer, PLACES.index(place)
        return bottleneck(x, w.down[at], w.down_bias[at], w.up[at], w.up_bias[at])

    with torch.no_grad():
        return packing.mean(backbone.upper(backbone.lower(ids, packing), packing, adapt))


if __name__ == "__main__":
    main()
