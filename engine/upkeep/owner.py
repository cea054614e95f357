"""Whose a home is while somebody looks after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from engine.api.sockets import owned
from engine.config import Paths
from engine.errors import NotFound, SocketBusy
from store.places import Places
from store.restore import settle


def existing(paths: Paths) -> Places:
    """The home at `paths`; NotFound if there is none."""
    places = Places(paths.data)
    if not (paths.data.is_dir() and any(paths.data.iterdir())):
        raise NotFound(
            f"There is no home in {paths.data}.", remedy="Give another with --home, or hmi restore."
        )
    return places


@contextmanager
def alone(paths: Paths) -> Iterator[bool]:
    """Whether no engine has the home; then none can take it until the block ends."""
    with ExitStack() as held:
        try:
            held.enter_context(owned(paths))
        except SocketBusy:
            yield False
        else:
            settle(Places(paths.data))
            yield True
