"""What the training process does from its start to its end."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from functools import cached_property
from multiprocessing.connection import Connection

import torch

from engine.memory.heap import give_back
from engine.model.backbone import Backbone, load_backbone
from engine.model.decoder import Decoder, load_decoder
from engine.process import keep_freed_memory
from engine.serving.work import TaskName
from engine.training.worker.messages import News, Ready, ShiftOver, Site
from engine.training.worker.orders import Orders
from engine.training.worker.shift import Shift

_NICENESS = 19


def serve(connection: Connection) -> None:
    """Take shift after shift from the engine at the other end; end when it does."""
    began = time.perf_counter()
    take_lowest_priority()
    keep_freed_memory()
    try:
        site = connection.recv()
    except EOFError:
        # The engine was gone before this had begun.
        return
    models = Models(site)
    orders = Orders()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()

    def tell(news: News) -> None:
        # An engine that is gone is noticed by the listening thread.
        with contextlib.suppress(OSError):
            connection.send(news)

    tell(Ready(time.perf_counter() - began))
    while True:
        begin = orders.next()
        Shift(site, models.of(begin.jobs[0].task), begin.jobs, orders, tell).run()
        tell(ShiftOver())
        # Learners and what they tell refer to each other: their tables and caches would stay until
        # some round of the collector's comes that far, which is many jobs later.
        gc.collect()
        give_back()


class Models:
    """What vPLMs are trained on: the backbone, and a decoder once a generator asks for it."""

    def __init__(self, site: Site) -> None:
        """Load the backbone, and make sums come out alike in every run."""
        torch.set_num_threads(site.threads)
        if site.device.startswith("cuda"):
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        self._site, self._dtype = site, getattr(torch, site.dtype)
        self._backbone = load_backbone(
            site.backbone, device=site.device, dtype=self._dtype, split=site.split
        )

    def of(self, task: TaskName) -> Backbone:
        return self._decoder if task == "generate" else self._backbone

    @cached_property
    def _decoder(self) -> Decoder:
        site = self._site
        assert site.generator is not None, "no generator is trained where none is served"
        return load_decoder(
            site.generator, device=site.device, dtype=self._dtype, split=site.generator_split
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
