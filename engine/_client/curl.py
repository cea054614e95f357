"""A call as a command line, for whoever wants to make it without this client."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from engine._client.call import Call


def curl(call: Call[Any], socket: Path) -> str:
    """The curl command that makes `call` over `socket`; what is streamed comes from its stdin."""
    url = f"http://hmi{call.path}" + (
        f"?{urlencode(call.params, doseq=True)}" if call.params else ""
    )
    words = ["curl", "--unix-socket", str(socket), url]
    if call.method != ("GET" if call.content is None and call.chunks is None else "POST"):
        words += ["-X", call.method]
    for name, value in call.headers.items():
        words += ["-H", f"{name.lower()}: {value}"]
    if call.content is not None:
        words += ["-d", call.content.decode()]
    elif call.chunks is not None:
        words += ["--data-binary", "@-"]
    return shlex.join(words)
