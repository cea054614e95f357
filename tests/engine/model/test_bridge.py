from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.errors import Damaged
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.layers import run_layer
from engine.model.packing import Packing
from engine.model.rows import decode_rows, encode_rows

ALONE = 1e-5
"""How far a state may move with its batch mates: a product of another size rounds differently."""


def _rows(count: int, bridge: Bridge) -> Tensor:
    return torch.randn(count, bridge.shape.hidden, generator=torch.Generator().manual_seed(0))


def test_stored_rows_are_put_where_each_token_points(bridge: Bridge) -> None:
    stored = encode_rows(_rows(4, bridge))
    which = torch.tensor([3, 0, 0, 2, 1])
    packing = Packing.of([3, 2])
    states = bridge.assemble(stored, which, packing)
    assert states.shape == (5, bridge.shape.hidden)
    assert states.dtype == torch.float32
    assert torch.equal(states, bridge(decode_rows(stored)[which], packing))


def test_it_serves_in_the_backbones_dtype_whatever_it_was_trained_in(
    bridge: Bridge, brief_backbone: Backbone
) -> None:
    brief = Bridge(brief_backbone, bridge.widths)
    brief.load(bridge.state_dict())
    brief.freeze()
    stored, which = encode_rows(_rows(4, bridge)), torch.tensor([3, 0, 0, 2, 1])
    packing = Packing.of([3, 2])
    states, exact = (each.assemble(stored, which, packing) for each in (brief, bridge))
    assert states.dtype == torch.bfloat16
    assert torch.allclose(states.float(), exact, atol=0.05)
    assert not torch.equal(states.float(), exact)


def test_new_weights_are_served_at_once(bridge: Bridge, backbone: Backbone) -> None:
    other = Bridge(backbone, bridge.widths)
    stored, packing = encode_rows(_rows(3, bridge)), Packing.of([3])
    before = other.assemble(stored, torch.arange(3), packing)
    other.load({name: t + 0.1 for name, t in other.state_dict().items()})
    after = other.assemble(stored, torch.arange(3), packing)
    assert (after - before).abs().max() > 1e-3


def test_one_row_in_two_places_gives_two_states(bridge: Bridge) -> None:
    """Position is not in a row: it enters here."""
    row = _rows(1, bridge)
    states = bridge(row.expand(3, -1), Packing.of([3]))
    assert (states[0] - states[1]).abs().max() > 1e-3
    assert (states[1] - states[2]).abs().max() > 1e-3


def test_a_text_hears_itself_and_nobody_else(bridge: Bridge) -> None:
    rows = _rows(7, bridge)
    together = bridge(rows, Packing.of([4, 3]))
    assert torch.allclose(together[:4], bridge(rows[:4], Packing.of([4])), atol=ALONE)
    assert torch.allclose(together[4:], bridge(rows[4:], Packing.of([3])), atol=ALONE)
    changed = rows.clone()
    changed[2] = 0
    moved = (bridge(changed, Packing.of([4, 3])) - together).abs().amax(1)
    assert (moved[:4] > 1e-4).all()
    assert torch.equal(moved[4:], torch.zeros(3))


@pytest.mark.parametrize("depth", [1, 2])
def test_it_starts_as_the_last_of_the_lower_layers(backbone: Backbone, depth: int) -> None:
    whole = Bridge(backbone, (backbone.shape.intermediate,) * depth)
    rows, packing = _rows(5, whole), Packing.of([5])
    expected = torch.nn.functional.layer_norm(
        rows, (whole.shape.hidden,), whole.norm, whole.norm_bias, whole.shape.eps
    )
    for weights in backbone.layers[backbone.split - depth : backbone.split]:
        expected = run_layer(weights, expected, packing, backbone.shape)
    assert torch.allclose(whole(rows, packing), expected, atol=1e-5)


def test_a_trimmed_layer_keeps_the_neurons_of_the_largest_weights(backbone: Backbone) -> None:
    layer = backbone.layers[0]
    kept = layer.trimmed(5)
    weight = layer.up.norm(dim=1) * layer.down.norm(dim=0)
    best = weight.argsort(descending=True)[:5].sort().values
    assert torch.equal(kept.up, layer.up[best])
    assert torch.equal(kept.up_bias, layer.up_bias[best])
    assert torch.equal(kept.down, layer.down[:, best])
    assert layer.trimmed(10_000) is layer


def test_everything_in_it_learns_and_the_backbone_does_not(backbone: Backbone) -> None:
    learning = Bridge(backbone)
    packing = Packing.of([4, 3])
    learning(_rows(7, learning), packing).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning.parameters())
    assert not any(t.requires_grad for w in backbone.layers for t in w.tensors().values())
    frozen = learning.freeze()
    assert frozen is learning
    assert not any(p.requires_grad for p in frozen.parameters())


def test_its_fingerprint_is_that_of_its_file(bridge: Bridge, backbone: Backbone) -> None:
    again = Bridge(backbone, bridge.widths)
    assert again.fingerprint() != bridge.fingerprint()
    again.load({name: t.half() for name, t in bridge.state_dict().items()})
    assert again.fingerprint() == bridge.fingerprint()


def test_weights_of_another_form_are_refused(bridge: Bridge, backbone: Backbone) -> None:
    narrow = Bridge(backbone, (8,))
    with pytest.raises(Damaged, match="do not fit") as caught:
        narrow.load(bridge.state_dict())
    assert caught.value.code == "encoder_damaged"
