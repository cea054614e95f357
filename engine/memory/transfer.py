"""The way from host memory to the device, beside what the device computes.

On the CPU there is nothing to do: what is in memory is there. On CUDA an adapter's tensors are
laid end to end in one of a few pinned buffers, cross in one copy on a stream of their own, and
are cast and spread over the slot by the device itself. Only the buffers are pinned, once: the
host tier may be larger than what the system lets a process pin.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

import torch

from engine.model.adapters import AdapterShape, AdapterWeights

_BUFFERS = 4
_LABELS = 1024
"""Labels of a head that a buffer has room for; a larger one crosses without a buffer."""


class Arrival(Protocol):
    """The moment at which copies that were begun are done."""

    def wait(self, stream: torch.cuda.Stream | None = None) -> None:
        """Let `stream` (None: the calling thread's) go on only then. The caller does not wait."""


class Arrived:
    """What needs no waiting for."""

    def wait(self, stream: torch.cuda.Stream | None = None) -> None:
        """Nothing to wait for."""


class Transfer(Protocol):
    """Thread-safe."""

    def bring(self, adapter: AdapterWeights) -> AbstractContextManager[AdapterWeights]:
        """`adapter` where the device can read it; what is enqueued inside comes after that."""

    def arrival(self) -> Arrival:
        """Of all that was brought, in any thread, before this call."""


class LocalTransfer:
    """The device is this CPU."""

    @contextmanager
    def bring(self, adapter: AdapterWeights) -> Iterator[AdapterWeights]:
        yield adapter

    def arrival(self) -> Arrival:
        return Arrived()


@dataclass(frozen=True, slots=True, eq=False)
class _Buffer:
    memory: torch.Tensor
    left: torch.cuda.Event = field(default_factory=torch.cuda.Event)
    """When its last content has crossed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Crossing:
    event: torch.cuda.Event

    def wait(self, stream: torch.cuda.Stream | None = None) -> None:
        (stream or torch.cuda.current_stream()).wait_event(self.event)


class CudaTransfer:
    """A copy stream and its pinned buffers. `device` has an index."""

    def __init__(self, device: torch.device, nbytes: int) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._free: queue.SimpleQueue[_Buffer] = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(_Buffer(torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)))

    @contextmanager
    def bring(self, adapter: AdapterWeights) -> Iterator[AdapterWeights]:
        buffer = self._free.get()
        try:
            # Its last content may still be crossing; with several buffers that is seldom.
            buffer.left.synchronize()
            staged = lay_end_to_end(adapter, buffer.memory)
            with torch.cuda.stream(self._stream):
                if staged is None:
                    yield _on(self._device, adapter)
                    return
                there = staged.to(self._device, non_blocking=True)
                buffer.left.record(self._stream)
                yield take_apart(there, adapter)
        finally:
            self._free.put(buffer)

    def arrival(self) -> Arrival:
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(self._stream)
        return _Crossing(event)


def transfer_to(device: torch.device, shape: AdapterShape) -> Transfer:
    """The way to `device` for adapters up to `shape`."""
    if device.type != "cuda":
        return LocalTransfer()
    head = _LABELS * (shape.hidden + 1)
    return CudaTransfer(device, 2 * (shape.parameters + head))


def lay_end_to_end(adapter: AdapterWeights, memory: torch.Tensor) -> torch.Tensor | None:
    """All tensors in `memory` (bytes) one after another, as (N,) of their dtype; None if they are
    not of one dtype or need more room."""
    parts = list(adapter.tensors().values())
    dtype = parts[0].dtype
    if any(part.dtype != dtype for part in parts) or adapter.nbytes > memory.numel():
        return None
    staged = memory[: adapter.nbytes].view(dtype)
    return torch.cat([part.reshape(-1) for part in parts], out=staged)


def take_apart(flat: torch.Tensor, adapter: AdapterWeights) -> AdapterWeights:
    """The tensors in `flat`, as `lay_end_to_end` put those of `adapter`, without a copy."""
    tensors = adapter.tensors()
    ends = list(accumulate((part.numel() for part in tensors.values()), initial=0))
    return AdapterWeights(
        **{
            name: flat[begin : begin + part.numel()].view(part.shape)
            for begin, (name, part) in zip(ends, tensors.items(), strict=False)
        }
    )


def _on(device: torch.device, adapter: AdapterWeights) -> AdapterWeights:
    return AdapterWeights(**{name: t.to(device) for name, t in adapter.tensors().items()})
