"""A certificate for 127.0.0.1, made here and good for nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(folder: Path) -> tuple[Path, Path]:
    """Its file and its key's."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    told = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    about = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *told.split(), *about, *files], check=True, capture_output=True)
    return certificate, key
