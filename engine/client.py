"""The Python client: typed calls to the engine over its socket. Needs no torch.

`Client` blocks and `AsyncClient` awaits; both have the same methods, one a route. Every failure is
raised as an `HmiError` of engine.errors, rebuilt from the engine's problem document.

    with Client() as hmi:
        hmi.classify("acme/polarity", ["a gorgeous, witty, seductive movie"])

`calls` has the same calls as values; `curl` writes one as a command line.
"""

from __future__ import annotations

from engine import __version__ as VERSION
from engine._client.blocking import Client
from engine._client.call import Call
from engine._client.calls import Calls
from engine._client.curl import curl
from engine._client.folders import unpack as unpack_folder
from engine._client.lean import LeanAnswer, LeanClient, LeanTiming
from engine._client.uploads import corpus_digest
from engine._client.waiting import AsyncClient
from engine.config import MAX_SOCKET_PATH, Paths, assets_dir, check_socket_path, parse_size
from engine.errors import (
    BadInput,
    Cancelled,
    Conflict,
    Damaged,
    EngineNotRunning,
    HmiError,
    NoSpace,
    NotFound,
    QueueFull,
    QuotaExceeded,
    QuotaReached,
    Refused,
    SloUnattainable,
    SocketBusy,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from engine.validation import checked

calls = Calls

__all__ = [
    "MAX_SOCKET_PATH",
    "VERSION",
    "AsyncClient",
    "BadInput",
    "Call",
    "Cancelled",
    "Client",
    "Conflict",
    "Damaged",
    "EngineNotRunning",
    "HmiError",
    "LeanAnswer",
    "LeanClient",
    "LeanTiming",
    "NoSpace",
    "NotFound",
    "Paths",
    "QueueFull",
    "QuotaExceeded",
    "QuotaReached",
    "Refused",
    "SloUnattainable",
    "SocketBusy",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "assets_dir",
    "calls",
    "check_socket_path",
    "checked",
    "corpus_digest",
    "curl",
    "parse_size",
    "unpack_folder",
]
