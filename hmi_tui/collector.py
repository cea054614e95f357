"""The garbage collector, kept out of the way of the first paint and of the keys.

A round over everything that the application consists of takes longer than a key may: some 80 ms of
CPU, every few seconds while lists are gone through. Almost all of it is there for good.
"""

from __future__ import annotations

import gc


def load_without_rounds() -> None:
    """Stop the collector's rounds while the application is imported and begins, for nothing is
    garbage yet. `leave_settled_objects` ends it."""
    gc.disable()


def leave_settled_objects() -> None:
    """Take what is there now out of the collector's rounds; from now on they go over what came
    later. It is freed as ever when nothing refers to it, but no longer if it refers to itself."""
    gc.collect()
    gc.freeze()
    gc.enable()
