"""The part of the self-check that is about who may come in: address, certificate, keys, audit."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from engine.client import Client
from engine.config import Paths
from engine.errors import HmiError
from engine.schema.status import EngineStatus
from engine.telemetry.audit import trail_of
from engine.upkeep.finding import Finding
from store.errors import StoreError
from store.reading import reading

_PATIENCE_S = 5.0
_DAY_S = 86_400.0
_SOON_S = 14 * _DAY_S
_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
_RENEW = "Put a new one there, then hmi stop, hmi serve."
_MAKE_ONE = "hmi tenant key NAME --new makes one for a tenant, hmi key --new one for the operator."


def network(paths: Paths) -> Iterator[Finding]:
    """Whether the engine answers where it was told to listen, and with which certificate."""
    try:
        with Client(paths=paths, timeout=_PATIENCE_S) as client:
            engine = client.status().engine
    except HmiError:
        # Why there is none is told by the check of the engine.
        return
    if engine.listen is None:
        yield Finding("network", "ok", "not listened on: the socket is the only way in")
        return
    host, _, port = engine.listen.rpartition(":")
    address = host.strip("[]"), int(port)
    try:
        with socket.create_connection(address, _PATIENCE_S) as line:
            if engine.tls_cert is not None:
                yield _certificate(line, engine.tls_cert)
    except OSError as error:
        told = f"{engine.listen} is not answered: {error.strerror or error}."
        yield Finding("network", "fail", told, "hmi logs says why; hmi stop, hmi serve --listen.")
        return
    yield _encryption(engine, engine.listen, address[0])
    yield from _key_file(engine)


def keys(paths: Paths) -> Iterator[Finding]:
    """Who has keys that open something."""
    if not paths.catalogue.is_file():
        return
    try:
        with reading(paths.catalogue) as db:
            if "keys" not in db.table_names():
                return
            open_now = "expires_at is null or expires_at > ?"
            sql = f"select tenant, count(*) from keys where {open_now} group by tenant"
            held = dict(db.execute(sql, [time.time()]).fetchall())
            tenants = db.execute("select count(*) from tenants").fetchone()[0]
    except StoreError:
        # The check of the catalogue names it.
        return
    operators = held.pop("", 0)
    told = (
        f"{operators} of the operator's, {sum(held.values())} of tenants' "
        f"({len(held)} of {tenants} have any)"
    )
    if operators or held:
        yield Finding("keys", "ok", told)
    else:
        what = "Nobody has a key: over the network every call is answered 401."
        yield Finding("keys", "warn", what, _MAKE_ONE)


def audit(paths: Paths) -> Iterator[Finding]:
    """Whether every entry of the audit log is there."""
    if not paths.audit.is_file():
        return
    trail = trail_of(paths.audit)
    if trail.gaps:
        # A full file may have been put aside between two looks.
        trail = trail_of(paths.audit)
    if trail.gaps:
        what = f"{paths.audit}: after entry {trail.gaps[0]} some are missing; it was changed."
        remedy = "Keep a copy, and see who may write there; the engine goes on after the last."
        yield Finding("audit", "fail", what, remedy)
    else:
        yield Finding("audit", "ok", f"{trail.entries:,} entries in {paths.audit}, none missing")


def _certificate(line: socket.socket, path: str) -> Finding:
    """What is shown on the line, held against the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The file's own certificate is what is to be shown, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(path)
        with context.wrap_socket(line) as tls:
            shown = tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return Finding("tls", "fail", f"The certificate of {path} has expired.", _RENEW)
        what = f"The engine shows another certificate than {path} holds."
        return Finding("tls", "fail", what, "Start the engine again: hmi stop, hmi serve.")
    except OSError as error:
        remedy = "Look at the file and at hmi logs."
        return Finding("tls", "fail", f"TLS with {path} fails: {error}.", remedy)
    left = ssl.cert_time_to_seconds(str(shown["notAfter"])) - time.time()
    told = f"the certificate of {path} is good for {left / _DAY_S:.0f} days more"
    if left < _SOON_S:
        return Finding("tls", "warn", f"{told[0].upper()}{told[1:]}.", _RENEW)
    return Finding("tls", "ok", told)


def _encryption(engine: EngineStatus, listen: str, host: str) -> Finding:
    if engine.tls_cert is None and not _is_own(host):
        what = f"{listen} is not encrypted: keys and texts can be read on the way."
        remedy = "Give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that does."
        return Finding("network", "warn", what, remedy)
    return Finding("network", "ok", f"{listen} answers")


def _key_file(engine: EngineStatus) -> Iterator[Finding]:
    if engine.tls_key is None:
        return
    key = Path(engine.tls_key)
    if key.is_file() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("tls", "fail", f"Others may read {key}.", f"chmod 600 {key}")


def _is_own(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
