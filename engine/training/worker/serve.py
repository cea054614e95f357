"""What the training process does from its start to its end."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from multiprocessing.connection import Connection

import torch

from engine.model.backbone import Backbone, load_backbone
from engine.process import keep_freed_memory
from engine.training.worker.messages import News, Ready, ShiftOver, Site
from engine.training.worker.orders import Orders
from engine.training.worker.shift import Shift

_NICENESS = 19


def serve(connection: Connection) -> None:
    """Take shift after shift from the engine at the other end; end when it does."""
    began = time.perf_counter()
    take_lowest_priority()
    keep_freed_memory()
    site = connection.recv()
    backbone = open_site(site)
    orders = Orders()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()

    def tell(news: News) -> None:
        # An engine that is gone is noticed by the listening thread.
        with contextlib.suppress(OSError):
            connection.send(news)

    tell(Ready(time.perf_counter() - began))
    while True:
        begin = orders.next()
        Shift(site, backbone, begin.jobs, orders, tell).run()
        tell(ShiftOver())


def open_site(site: Site) -> Backbone:
    """Load the backbone, and make sums come out alike in every run."""
    torch.set_num_threads(site.threads)
    if site.device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return load_backbone(
        site.backbone,
        device=site.device,
        dtype=getattr(torch, site.dtype),
        split=site.split,
    )


def take_lowest_priority() -> None:
    """Compute with what others leave of the processor, and push nobody aside on waking up.

    Not SCHED_IDLE: beside programs that never rest it would hardly begin.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _listen(connection: Connection, orders: Orders) -> None:
    """Hear the engine, and end the process at once when it is gone: a job goes on from its last
    checkpoint with the next engine."""
    try:
        while True:
            orders.give(connection.recv())
    except (EOFError, OSError):
        os._exit(0)
