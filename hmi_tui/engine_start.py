"""Starting an engine for the application, which goes on drawing and may be quit meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

from engine.client import HmiError
from hmi_tui.feed import Feed
from hmi_tui.launch import Launch

Progress = Callable[[str], None]
Starter = Callable[[Launch | None, Progress], object]
"""Starts the engine, as the one before it if that is given, and returns when it is ready; blocks,
and raises HmiError if it cannot."""


async def start(starter: Starter, launch: Launch | None, feed: Feed) -> None:
    """Run the starter; `feed` tells how far it is, and at its end whether it failed."""
    try:
        await _in_a_daemon_thread(partial(starter, launch, partial(setattr, feed, "starting")))
        feed.failure = None
    except HmiError as error:
        feed.failure = error
    except OSError as error:
        feed.failure = HmiError(str(error), remedy="hmi logs may say more.")
    finally:
        feed.starting = None


async def _in_a_daemon_thread(work: Callable[[], object]) -> None:
    """Wait for `work` in a thread that nobody waits for when the application is quit.

    Raises what it raises of HmiError and OSError.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def work_through() -> None:
        error: Exception | None = None
        try:
            work()
        except (HmiError, OSError) as failed:
            error = failed
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=work_through, name="engine-starter", daemon=True).start()
    await done
