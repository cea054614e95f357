"""AdapterHub's layout: what fits answers here as there, what does not is refused with the reason.

The files are of the test's own making; tests/benchmarks/adapterhub.py asks the library itself.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional as F

from engine.errors import BadInput
from engine.model.adapterhub import HubAdapter, from_hub, to_hub
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone
from engine.model.batched import bottleneck
from engine.model.layers import Shape
from engine.model.packing import Packing

LAYERS, SPLIT, HIDDEN, RANK = 4, 2, 32, 5
SHAPE = Shape(LAYERS, HIDDEN, 4, 64, 41, 24, 1e-12)
HEAD = np.zeros((2, HIDDEN), np.float16)
AT = {"attention": "attention.output", "feed_forward": "output"}
CONFIG = {
    "adapter_residual_before_ln": False,
    "cross_adapter": False,
    "dropout": 0.1,
    "inv_adapter": None,
    "is_parallel": False,
    "leave_out": [0, 1],
    "ln_after": False,
    "ln_before": False,
    "mh_adapter": True,
    "non_linearity": "gelu",
    "original_ln_after": True,
    "original_ln_before": False,
    "output_adapter": True,
    "phm_layer": False,
    "reduction_factor": 4,
    "residual_before_ln": True,
    "scaling": 1.0,
    "use_gating": False,
}


def document(**config: Any) -> dict[str, Any]:
    return {
        "config": {**CONFIG, **config},
        "hidden_size": HIDDEN,
        "model_type": "bert",
        "name": "films",
    }


def tensors(
    layers: tuple[int, ...] = (2, 3), rank: int = RANK, prefix: str = "bert."
) -> dict[str, NDArray[Any]]:
    """As their library writes them, of numbers that float16 holds."""
    rng = np.random.default_rng(3)
    sizes = {
        "adapter_down.0.weight": (rank, HIDDEN),
        "adapter_down.0.bias": (rank,),
        "adapter_up.weight": (HIDDEN, rank),
        "adapter_up.bias": (HIDDEN,),
    }
    return {
        f"{prefix}encoder.layer.{layer}.{at}.adapters.films.{name}": rng.normal(0, 0.3, size)
        .astype(np.float16)
        .astype(np.float32)
        for layer in layers
        for at in AT.values()
        for name, size in sizes.items()
    }


def read(config: dict[str, Any], found: dict[str, NDArray[Any]]) -> AdapterWeights:
    return from_hub(HubAdapter(document(**config), found), SHAPE, SPLIT, HEAD)


def theirs(folder: Path, rows: list[list[int]], found: dict[str, NDArray[Any]]) -> torch.Tensor:
    """The mean over each row of transformers' model, with the bottlenecks hooked in as they say."""
    transformers: Any = importlib.import_module("transformers")
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()

    def hook(layer: int, at: str) -> Any:
        parts = {
            name: torch.from_numpy(found[f"bert.encoder.layer.{layer}.{at}.adapters.films.{name}"])
            for name in (
                "adapter_down.0.weight",
                "adapter_down.0.bias",
                "adapter_up.weight",
                "adapter_up.bias",
            )
        }

        def adapt(_module: Any, _given: Any, x: torch.Tensor) -> torch.Tensor:
            down, down_bias, up, up_bias = parts.values()
            return x + F.linear(F.gelu(F.linear(x, down, down_bias)), up, up_bias)

        return adapt

    for layer in (2, 3):
        block = model.encoder.layer[layer]
        block.attention.output.dense.register_forward_hook(hook(layer, "attention.output"))
        block.output.dense.register_forward_hook(hook(layer, "output"))
    with torch.no_grad():
        return torch.stack(
            [model(torch.tensor([row])).last_hidden_state[0].mean(0) for row in rows]
        )


def ours(backbone: Backbone, rows: list[list[int]], weights: AdapterWeights) -> torch.Tensor:
    packing = Packing.of([len(row) for row in rows])
    ids = torch.tensor([token for row in rows for token in row])
    w = weights.to(torch.float32)

    def adapt(x: torch.Tensor, layer: int, place: str) -> torch.Tensor:
        here = layer, PLACES.index(place)
        return bottleneck(x, w.down[here], w.down_bias[here], w.up[here], w.up_bias[here])

    with torch.no_grad():
        return packing.mean(backbone.upper(backbone.lower(ids, packing), packing, adapt))


def test_an_imported_adapter_answers_as_it_did_there(checkpoint: Path, backbone: Backbone) -> None:
    found = tensors()
    rows = backbone.tokenize(["a good film", "my order is late , refund please !"])
    expected = theirs(checkpoint, rows, found)
    assert torch.allclose(ours(backbone, rows, read({}, found)), expected, atol=1e-5)
    bare = ours(backbone, rows, read({}, {name: 0 * part for name, part in found.items()}))
    assert not torch.allclose(bare, expected, atol=1e-2)


def test_a_model_without_their_head_names_its_modules_shorter() -> None:
    whole, short = read({}, tensors()), read({}, tensors(prefix=""))
    assert all(torch.equal(a, b) for a, b in _pairs(whole, short))


def test_places_and_layers_that_are_left_out_are_the_identity() -> None:
    found = {name: part for name, part in tensors((3,)).items() if "attention" not in name}
    weights = read({"leave_out": [0, 1, 2], "mh_adapter": False}, found)
    x = torch.randn(3, HIDDEN).half()
    for layer, place in ((0, 0), (0, 1), (1, 0)):
        here = layer, place
        same = bottleneck(
            x, weights.down[here], weights.down_bias[here], weights.up[here], weights.up_bias[here]
        )
        assert torch.equal(same, x)
    assert weights.down[1, 1].abs().sum() > 0


def test_ranks_that_differ_are_filled_up_with_nothing() -> None:
    found = tensors((2,), rank=3) | tensors((3,), rank=RANK)
    weights = read({"reduction_factor": {"2": 10, "3": 6}}, found)
    assert weights.shape.rank == RANK
    assert weights.down[0, :, :, 3:].abs().sum() == weights.up[0, :, 3:].abs().sum() == 0
    assert weights.down[1, :, :, 3:].abs().sum() > 0


def test_a_fixed_scaling_goes_into_the_numbers() -> None:
    plain, doubled = read({}, tensors()), read({"scaling": 2.0}, tensors())
    assert torch.equal(doubled.down, plain.down)
    assert torch.equal(doubled.up, 2 * plain.up)
    assert torch.equal(doubled.up_bias, 2 * plain.up_bias)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"architecture": "lora"}, "LoRA"),
        ({"architecture": "prefix_tuning"}, "prefix tuning"),
        ({"architecture": "vera"}, "kind 'vera'"),
        ({"is_parallel": True}, "parallel"),
        ({"non_linearity": "relu"}, "'relu'; here it is gelu"),
        ({"non_linearity": "gelu_new"}, "'gelu_new'"),
        ({"original_ln_before": True}, "after the layer's norm"),
        ({"residual_before_ln": "post_add"}, "residual"),
        ({"adapter_residual_before_ln": True}, "norm of its own"),
        ({"ln_after": True}, "norm of its own after up"),
        ({"cross_adapter": True}, "cross-attention"),
        ({"use_gating": True}, "gate"),
        ({"phm_layer": True}, "Compacter"),
        ({"inv_adapter": "nice"}, "invertible"),
        ({"scaling": "learned"}, "learned"),
        ({"leave_out": [3]}, "leaves out"),
    ],
)
def test_what_ours_cannot_say_is_refused_with_the_reason(
    config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadInput, match=reason) as refused:
        read(config, tensors())
    assert refused.value.code == "adapterhub_misfit"
    assert refused.value.remedy


def test_adapters_of_lower_layers_are_refused() -> None:
    with pytest.raises(BadInput, match="layers 0 to 1 are looked up here, not computed"):
        read({"leave_out": []}, tensors((1, 2, 3)))
    with pytest.raises(BadInput, match="layer 4; the backbone's last is 3"):
        read({}, tensors((2, 3, 4)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bert.invertible_adapters.films.F.0.weight": np.ones(2)}, "no part of a bottleneck"),
        ({"bert.encoder.layer.2.output.adapters.b.adapter_up.bias": np.ones(32)}, "2 adapters"),
        ({"bert.encoder.layer.3.output.adapters.films.adapter_up.bias": np.ones(7)}, "no whole"),
        (
            {"bert.encoder.layer.3.output.adapters.films.adapter_down.0.bias": np.ones((5, 1))},
            "no whole",
        ),
        (
            {"bert.encoder.layer.3.output.adapters.films.adapter_up.bias": np.full(32, 1e6)},
            "too large for float16",
        ),
        (
            {"bert.encoder.layer.3.output.adapters.films.adapter_up.bias": np.full(32, np.nan)},
            "not finite",
        ),
    ],
)
def test_tensors_that_are_no_adapter_are_refused(
    change: dict[str, NDArray[Any]], reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        read({}, tensors() | change)


@pytest.mark.parametrize("name", sorted(tensors())[:4])
def test_a_bottleneck_that_lacks_a_part_is_refused(name: str) -> None:
    found = tensors()
    del found[name]
    with pytest.raises(BadInput, match="no whole bottleneck"):
        read({}, found)
    with pytest.raises(BadInput, match="0 adapters"):
        read({}, {})


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        ({"config": "double_seq_bn"}, "has no config"),
        ({"model_type": "roberta"}, "'roberta', not bert"),
        ({"hidden_size": 768}, "hidden size of 768; here it is 32"),
    ],
)
def test_an_adapter_of_another_model_is_refused(whole: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        from_hub(HubAdapter({**document(), **whole}, tensors()), SHAPE, SPLIT, HEAD)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, HIDDEN), st.integers(0, 5))
def test_what_goes_out_comes_back_the_same(rank: int, seed: int) -> None:
    made = random_adapter(
        AdapterShape(LAYERS - SPLIT, HIDDEN, rank),
        2,
        torch.Generator().manual_seed(seed),
        torch.float16,
    )
    hub = to_hub(made, SHAPE, SPLIT, name="films", model_name="small")
    factor = hub.document["config"]["reduction_factor"]
    assert int(HIDDEN // factor) == rank
    assert hub.document["config"]["leave_out"] == [0, 1]
    back = from_hub(hub, SHAPE, SPLIT, made.head.numpy())
    assert all(torch.equal(a, b) for a, b in _pairs(made, back))


def _pairs(left: AdapterWeights, right: AdapterWeights) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(part, right.tensors()[name]) for name, part in left.tensors().items()]
