"""The engine on the network: addresses, TLS, limits, and who is cut off."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

import engine.api.patience
from engine.api.connections import MAX_HEAD
from engine.api.network import Network, networked
from engine.api.patience import HEAD_S, LEAST_BYTES, WINDOW_S, Patience
from engine.api.server import Process
from engine.api.sockets import bound
from engine.client import AsyncClient, Client, NotFound, Refused, Unauthorized
from engine.config import Paths, Settings
from engine.errors import BadInput, SocketBusy
from tests.engine.api import certificate
from tests.engine.api.running import DEADLINE_S, Running, running
from tests.engine.api.scripted import ScriptedAppliance

LOCAL = "127.0.0.1:0"
ASKS = (
    b"POST /v1/classify HTTP/1.1\r\nAuthorization: Bearer hmi-acme\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("e"), ScriptedAppliance(), listen=LOCAL) as engine:
        yield engine


@contextmanager
def dialled(engine: Running) -> Iterator[socket.socket]:
    assert engine.network is not None
    with socket.create_connection(engine.network.listener.getsockname(), DEADLINE_S) as line:
        yield line


def answer_to(engine: Running, sent: bytes) -> bytes:
    """All that is said until the engine hangs up."""
    with dialled(engine) as line:
        line.sendall(sent)
        return rest_of(line)


def rest_of(line: socket.socket) -> bytes:
    told = b""
    try:
        while more := line.recv(65536):
            told += more
    except ConnectionResetError:
        pass
    return told


async def test_both_clients_speak_over_the_network_with_a_key(outside: Running) -> None:
    with Client(url=outside.url, key="hmi-acme", timeout=DEADLINE_S) as client:
        assert client.classify("acme/polarity", "good").labels
        with pytest.raises(NotFound):
            client.classify("globex/polarity", "good")
        with pytest.raises(NotFound, match="no such route"):
            client.status()
        assert "hmi-acme" not in repr(client._link)
    async with AsyncClient(url=outside.url, key="hmi-acme") as waiting:
        assert (await waiting.models()).data[0].owned_by == "acme"
    with (
        Client(url=outside.url, key="hmi-wrong") as client,
        pytest.raises(Unauthorized, match="API key") as refused,
    ):
        client.models()
    assert refused.value.exit_code == 5
    with Client(url=outside.url, key="hmi-acme-infer") as client, pytest.raises(Refused):
        client.jobs()


def test_a_certificate_makes_it_speak_tls_and_nothing_else(tmp_path: Path) -> None:
    files = certificate.make(tmp_path)
    home = tmp_path / "e"
    home.mkdir()
    with running(home, ScriptedAppliance(), listen=LOCAL, tls=files) as engine:
        assert engine.url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(files[0]))
        headers = {"Authorization": "Bearer hmi-acme"}
        with httpx2.Client(base_url=engine.url, verify=trust, headers=headers) as http:
            assert http.get("/v1/models").json()["data"][0]["id"] == "acme/polarity"
        assert answer_to(engine, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with dialled(engine) as line, pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(line)


@pytest.mark.parametrize(
    ("listen", "code"),
    [("8300", "bad_address"), ("127.0.0.1:", "bad_address"), ("127.0.0.1:99999", "bad_address")],
)
def test_what_is_no_address_is_refused(listen: str, code: str) -> None:
    with pytest.raises(BadInput) as refused, networked(listen, None, None):
        pass
    assert refused.value.code == code
    assert "HOST:PORT" in refused.value.remedy


def test_an_address_that_is_taken_is_refused_at_once(outside: Running) -> None:
    taken = outside.url.removeprefix("http://")
    with pytest.raises(SocketBusy, match="cannot be listened on"), networked(taken, None, None):
        pass


def test_tls_files_that_do_not_fit_are_refused_with_what_is_wrong(tmp_path: Path) -> None:
    good, key = certificate.make(tmp_path)
    (tmp_path / "x").write_text("nothing")
    for given in ((good, None), (None, key), (good, tmp_path / "x"), (tmp_path / "none", key)):
        with pytest.raises(BadInput) as refused, networked(LOCAL, *given):
            pass
        assert refused.value.remedy
    with pytest.raises(BadInput, match="--listen"), networked(None, good, key):
        pass


def test_a_public_address_needs_a_key_to_be_there(tmp_path: Path) -> None:
    appliance = ScriptedAppliance()
    appliance.has_keys = False
    settings = Settings(paths=Paths.find(tmp_path, tmp_path / "s"))
    with (
        networked("0.0.0.0:0", None, None) as network,
        bound(settings.paths.socket) as listener,
        pytest.raises(Refused, match="nobody has a key") as refused,
    ):
        Process(appliance, settings, network).run(listener)
    assert refused.value.code == "no_keys"
    assert "hmi key --new" in refused.value.remedy


@pytest.mark.parametrize(
    ("listen", "public"), [("127.0.0.1:0", False), ("0.0.0.0:0", True), ("localhost:0", False)]
)
def test_an_address_is_public_if_others_can_reach_it(listen: str, public: bool) -> None:
    with networked(listen, None, None) as network:
        assert isinstance(network, Network)
        assert network.public is public


def test_a_head_that_is_too_large_is_refused(outside: Running) -> None:
    for sent in (
        b"GET /livez HTTP/1.1\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        b"GET /" + b"x" * MAX_HEAD + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEAD // 2) + b"\r\n",
    ):
        told = answer_to(outside, sent)
        assert told.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        problem = json.loads(told.partition(b"\r\n\r\n")[2])
        assert problem["code"] == "head_too_large"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nX: " + b"x" * (40 * MAX_HEAD),
        ASKS + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * (40 * MAX_HEAD),
        ASKS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * (8 * MAX_HEAD),
    ],
    ids=["a head", "a trailer", "trailers"],
)
def test_a_head_or_trailers_without_end_are_hung_up_on_at_once(
    outside: Running, sent: bytes
) -> None:
    # Not by patience, which would wait longer than the client does.
    with dialled(outside) as line:
        line.settimeout(HEAD_S / 2)
        told = b""
        with suppress(ConnectionError):
            line.sendall(sent)
            told = rest_of(line)
    # Whether the refusal is read depends on what was still on its way when it was sent.
    assert told == b"" or b"HTTP/1.1 431 " in told


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/classify HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/classify HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/classify HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nA b: c\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_problem_document_and_is_hung_up_on(
    outside: Running, sent: bytes
) -> None:
    told = answer_to(outside, sent)
    assert told.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "bad_http"


def test_a_slow_head_and_a_slow_body_are_cut_off_and_others_go_on(
    outside: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.api.patience, "HEAD_S", 0.0)
    monkeypatch.setattr(engine.api.patience, "WINDOW_S", 0.0)
    body = ASKS + b"Content-Length: 100\r\n\r\n{"
    for begun in (b"", b"GET /livez HTT", body):
        assert answer_to(outside, begun) == b""
    monkeypatch.undo()
    with Client(url=outside.url, key="hmi-acme") as client:
        assert client.models().data


def test_patience_ends_for_who_is_slow_and_not_for_who_waits_for_us() -> None:
    assert Patience(0.0).ended(HEAD_S + 1, reading=True, unread=None)
    one = Patience(0.0)
    one.head_ends(1.0)
    one.body_ends()
    # Nothing is awaited of it, for however long.
    assert not one.ended(1000.0, reading=True, unread=None)
    one.head_begins(2000.0)
    assert not one.ended(2000.0 + HEAD_S, reading=True, unread=None)
    assert one.ended(2001.0 + HEAD_S, reading=True, unread=None)


def test_patience_measures_bodies_over_stretches_in_which_we_read() -> None:
    one = Patience(0.0)
    one.head_ends(0.0)
    one.body(LEAST_BYTES)
    assert not one.ended(WINDOW_S, reading=True, unread=None)
    assert not one.ended(WINDOW_S + 5, reading=False, unread=None)
    assert not one.ended(2 * WINDOW_S, reading=True, unread=None)
    one.body(LEAST_BYTES - 1)
    assert one.ended(WINDOW_S + 5 + WINDOW_S, reading=True, unread=None)


def test_patience_ends_for_a_reader_that_takes_hardly_anything() -> None:
    one = Patience(0.0)
    one.head_ends(0.0)
    one.body_ends()
    assert not one.ended(1.0, reading=True, unread=900_000)
    assert not one.ended(1 + WINDOW_S, reading=True, unread=900_000 - LEAST_BYTES)
    assert one.ended(1 + 2 * WINDOW_S, reading=True, unread=900_000 - LEAST_BYTES)
