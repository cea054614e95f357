"""A certificate for 127.0.0.1, made here and good for nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(folder: Path, days: int = 2) -> tuple[Path, Path]:
    """Its file and its key's; with less than a day it has ended already."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    told = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    about = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    _openssl(*told.split(), *about, *files, "-days", str(max(1, days)))
    if days < 1:
        again = ["-in", str(certificate), "-signkey", str(key), "-out", str(certificate)]
        _openssl("x509", *again, "-days", str(days))
    return certificate, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
