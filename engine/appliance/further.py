"""Backbones beside the engine's own: how one is loaded, and made to serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.appliance.serving_stack import ServingStack
from engine.errors import Damaged

if TYPE_CHECKING:
    from engine.appliance.core import Core


def load_further(core: Core, sha256: str, phase: Callable[[str], None]) -> ServingStack:
    """Load the backbone with these weights. Damaged if its files are not what they were."""
    known = core.known.get(sha256)
    if known.origin == "imported":
        core.backbone_files.check(sha256, known.name)
    stack = ServingStack.load(
        None if known.origin == "bundled" else known.folder,
        known.split,
        core.settings,
        core.shelves,
        core.around,
        core.device,
        phase,
        own=False,
    )
    if stack.sha256 != sha256:
        raise Damaged(
            f'The weights of backbone "{known.id}" have sha256 {stack.sha256}, not {sha256}: '
            f"{known.folder}",
            remedy="Restore the folder from a backup, or import the backbone again.",
            code="backbone_damaged",
        )
    return stack


def open_further(core: Core, stack: ServingStack) -> Callable[[], None]:
    """Let it serve, with the domains and pins that there are now; what is to be called before it is
    closed. `core.changing` is held."""
    stack.tree.load(core.catalogue.domains.all(stack.sha256))
    for adapter in core.catalogue.backbones.pinned(stack.sha256):
        stack.tiers.pin(adapter, pinned=True)
    stack.pipeline.start()
    return core.watch(stack)
