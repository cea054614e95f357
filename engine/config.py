"""Where things are and what the operator chose: paths, sizes and the engine's settings."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from engine.errors import BadInput

MAX_SOCKET_PATH = 107
"""Bytes; sun_path holds 108 with its closing zero."""

DEFAULT_SPLIT = 4
"""So many of the backbone's layers come from tables where nobody says otherwise."""

_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([BKMGT]?)(?:I?B)?\s*$", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of `text` such as "256M", "2G", "1.5GiB" or "4096" (powers of 1024)."""
    match = _SIZE.match(text)
    if match is None:
        raise BadInput(
            f"{text!r} is not a size.", remedy="Write a number and a unit, such as 256M or 2G."
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def assets_dir() -> Path:
    """The folder of shipped files: styles, demo texts, the general encoder."""
    return Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True, slots=True)
class Paths:
    """Every place the engine and its clients use, all under one home if there is one."""

    config: Path
    data: Path
    state: Path
    socket: Path

    @property
    def catalogue(self) -> Path:
        return self.data / "catalogue.db"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def tables(self) -> Path:
        return self.data / "tables"

    @property
    def backbones(self) -> Path:
        """Imported checkpoints."""
        return self.data / "backbones"

    @property
    def corpora(self) -> Path:
        return self.data / "corpora"

    @property
    def datasets(self) -> Path:
        return self.data / "datasets"

    @property
    def training(self) -> Path:
        """Checkpoints of encoders that are being trained."""
        return self.data / "training"

    @property
    def log(self) -> Path:
        return self.state / "engine.log"

    @property
    def audit(self) -> Path:
        """Who did what; those put aside have a number added."""
        return self.state / "audit.log"

    @property
    def lock(self) -> Path:
        """Held with flock for as long as an engine owns the socket; names its pid, until it ends in
        order."""
        return self.socket.with_name(self.socket.name + ".lock")

    @classmethod
    def find(cls, home: str | Path | None = None, socket: str | Path | None = None) -> Paths:
        """Paths for `home` (or HMI_HOME, or the platform's) and `socket` (or HMI_SOCKET)."""
        home = home or os.environ.get("HMI_HOME") or None
        socket = socket or os.environ.get("HMI_SOCKET") or None
        if home is not None:
            root = Path(home).expanduser().absolute()
            found = cls(root / "config.toml", root / "data", root / "state", root / "engine.sock")
        else:
            dirs = platformdirs.PlatformDirs("hmi", appauthor=False)
            found = cls(
                Path(dirs.user_config_path) / "config.toml",
                Path(dirs.user_data_path),
                Path(dirs.user_state_path),
                _default_socket(),
            )
        if socket is not None:
            found = cls(found.config, found.data, found.state, Path(socket).expanduser().absolute())
        return found


def _default_socket() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "hmi" / "engine.sock"
    return Path(tempfile.gettempdir()) / f"hmi-{os.getuid()}" / "engine.sock"


def check_socket_path(path: Path) -> None:
    """Raise BadInput if the kernel cannot bind `path`."""
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH:
        raise BadInput(
            f"The socket path has {length} bytes; the system allows {MAX_SOCKET_PATH}: {path}",
            remedy="Choose a shorter one with --socket, for example /tmp/hmi.sock.",
            code="socket_path_too_long",
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What `hmi serve` was asked for. Sizes in bytes, times in seconds."""

    paths: Paths = field(default_factory=Paths.find)
    backbone: Path | None = None
    encoder: Path | None = None
    generator: Path | None = None
    """A checkpoint of the GPT-2 family; None: the bundled one, if there is one."""
    generator_split: int | None = None
    """Of its layers come from rows; None: two thirds."""
    device: str = "auto"
    host_cache: int = 2 << 30
    device_cache: int = 256 << 20
    table_cache: int = 512 << 20
    kv_cache: int = 256 << 20
    """For the keys and values of texts that are being generated."""
    miss: str = "compute"
    damaged: str = "refuse"
    slo_ms: float | None = None
    """None: whatever time an answer takes, it is given."""
    threads: int = 0
    pipeline: str = "on"
    split: int | None = None
    """Of its layers come from tables; None: as many as it was imported with, or DEFAULT_SPLIT."""
    further_backbones: int = 2
    """How many may be loaded beside the engine's own, for vPLMs that have them."""
    further_share: float = 0.25
    """Of the three caches for adapters and rows, what each of them gets on top."""
    further_idle_s: float = 900.0
    """One that nobody asked for so long is let go of."""
    keep_versions: int = 10
    """Of a vPLM. With two there is always one to go back to, and requests that began before a
    publication end on what they began with."""
    batch_tokens: int = 2048
    queue_tokens: int = 200_000
    watchdog_s: float = 60.0
    """How long a batch may take, or texts may wait without one being taken, before the engine ends
    for its supervisor to start it again; 0 for ever."""
    log_format: str = "text"
    listen: str | None = None
    """HOST:PORT beside the socket; None: the socket alone."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_body: int = 8 << 20
    max_upload: int = 1 << 30
