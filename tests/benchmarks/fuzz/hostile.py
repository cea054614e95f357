"""The hostile set: requests as bytes, made from a seed, in the ways that strangers try."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.routing import Route

from engine.api.app import create_app, routes_of
from engine.config import Paths, Settings

CLASSIFIER, GENERATOR = "a", "g"
"""vPLMs that each tenant has."""
TENANT = "acme"
_NAMES = {
    "tenant": TENANT,
    "owner": TENANT,
    "name": CLASSIFIER,
    "domain": "general",
    "adapter": "ab",
}
"""What the parts of a path are called; "x" where nothing is."""


def _paths_of_all_routes() -> tuple[str, ...]:
    settings = Settings(paths=Paths.find("/nowhere"))
    nobody = cast("Any", None)
    app = create_app(nobody, settings, audit=nobody, stop=lambda: None)
    paths = {route.path for route in routes_of(app) if isinstance(route, Route)}
    named = {re.sub(r"{(\w+)}", lambda part: _NAMES.get(part[1], "x"), path) for path in paths}
    return (*sorted(named), "/v1/nothing")


PATHS = _paths_of_all_routes()
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
ODD = (
    *("", " ", "\0", "\ud800", "\u202e", "é", "'; drop table vplms; --", "../../../etc/passwd"),
    *("%s%n", "{{7*7}}", "a" * 5000, "acme/a", "acme/a:1", "hmi-000000000000", "all", "1e999"),
)
SLOW, GOOD = 0.002, 0.05
"""Shares of all calls: a slow one takes as long as thousands of others."""
NUMBERS = (0, -1, 1 << 31, 1 << 63, 1 << 200, 1e308, -0.0, 0.5, True)


@dataclass(frozen=True, slots=True)
class HostileCall:
    """`sent` goes out as it is; `kind` says what the trick is.

    If it is `whole` the answer is waited for; else the line is shut when none comes soon.
    If it `drips`, what is left of it from there on comes a byte a second until the line is cut.
    If it is `good`, that is among the calls for which it must be answered with 200.
    """

    kind: str
    sent: bytes
    whole: bool = False
    drips: int | None = None
    good: bool = False


@dataclass(frozen=True, slots=True)
class Keyring:
    """Those that hostile calls try, beside none and wrong ones; and that of a tenant who calls in
    good faith between them, which no other call has."""

    tried: Sequence[str]
    tenant: str
    kept: str


def hostile_calls(seed: int, keys: Keyring, slow: float = SLOW) -> Iterator[HostileCall]:
    """Without end; a share of them is `slow`."""
    chance = random.Random(seed)
    while True:
        if chance.random() < slow:
            yield _slow(chance, keys.tried)
        elif chance.random() < GOOD:
            yield _good(chance, keys)
        else:
            kind = chance.choice(list(KINDS))
            sent = KINDS[kind](chance, keys.tried)
            # What goes on telling what happens has no end.
            whole = kind in WHOLE and b"/events" not in sent.partition(b"\r\n")[0]
            yield HostileCall(kind, sent, whole)


def lying_tensors(chance: random.Random) -> bytes:
    """A safetensors file whose header is not true."""
    entry: dict[str, object] = {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}
    entry[chance.choice(list(entry))] = chance.choice(
        ["F999", [1 << 62, 1 << 62], [-1], [0, 1 << 40], [8, 0], [], None, "x", {"a": 1}]
    )
    header: object = {
        "a": entry,
        "__metadata__": chance.choice([{}, {"k": 1}, [], {"format": "1"}]),
    }
    text = chance.choice([json.dumps(header), "[" * 50_000, "{", "", '{"a":' * 2000]).encode()
    size = chance.choice([len(text), 0, 1, 1 << 20, 1 << 40, (1 << 64) - 1])
    return struct.pack("<Q", size) + text + bytes(chance.randrange(64))


def _request(
    chance: random.Random,
    keys: Sequence[str],
    body: bytes = b"",
    *,
    method: str | None = None,
    path: str | bytes | None = None,
    headers: Sequence[bytes] = (),
    kind: bytes = b"application/json",
    length: bytes | None = None,
) -> bytes:
    path = chance.choice(PATHS) if path is None else path
    target = path.encode("latin-1", "replace") if isinstance(path, str) else path
    verb = method or ("POST" if body else chance.choice(METHODS))
    lines = [verb.encode() + b" " + target + b" HTTP/1.1", b"Host: hmi", b"Connection: close"]
    lines += _key(chance, keys)
    if body or length is not None:
        lines += [b"Content-Type: " + kind]
        lines += [b"Content-Length: " + (str(len(body)).encode() if length is None else length)]
    return b"\r\n".join([*lines, *headers, b"", body])


def _key(chance: random.Random, keys: Sequence[str]) -> list[bytes]:
    wrong = ["", "hmi-000000000000-" + "x" * 43, "\xff\xfe", "k" * 10_000]
    # Mostly one that opens: what is behind the door is what is to be tried.
    key = chance.choice([*keys] * 8 + wrong)
    return [b"Authorization: Bearer " + key.encode("latin-1")] if key else []


def _value(chance: random.Random, depth: int = 0) -> object:
    simple: list[object] = [*ODD, *NUMBERS, None, "classify", "acme", "a", ["no", "yes"]]
    if depth < 3 and chance.random() < 0.3:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 3 and chance.random() < 0.2:
        return {chance.choice(FIELDS): _value(chance, depth + 1) for _ in range(3)}
    return chance.choice(simple)


FIELDS = (
    *("model", "input", "mode", "explain", "name", "tenant", "labels", "rank", "domain", "adapter"),
    *("weight", "quota", "scopes", "replaces", "overlap_s", "vplm", "dataset", "epochs", "lr"),
    *("count", "first", "version", "to", "parent", "alpha", "budget_bytes", "prompt", "stream"),
    *("max_tokens", "encoding_format", "dimensions", "task", "path", "resume", "from_vplm"),
)


def _odd_json(chance: random.Random, keys: Sequence[str]) -> bytes:
    document = {field: _value(chance) for field in chance.sample(FIELDS, chance.randrange(1, 7))}
    return _request(chance, keys, json.dumps(document).encode(), method=chance.choice(METHODS[1:5]))


def _nearly_right(chance: random.Random, keys: Sequence[str]) -> bytes:
    path, right = _right(chance, TENANT)
    right[chance.choice([*right, "mode", "explain", "stream", "nothing"])] = _value(chance)
    return _request(chance, keys, json.dumps(right).encode(), path=path)


def _right(chance: random.Random, tenant: str) -> tuple[str, dict[str, object]]:
    if chance.random() < 0.5:
        return "/v1/classify", {"model": f"{tenant}/{CLASSIFIER}", "input": "a good film"}
    asked: dict[str, object] = {"model": f"{tenant}/{GENERATOR}", "prompt": "the film"}
    asked |= {"max_tokens": 4, "stream": chance.random() < 0.5}
    if chance.random() < 0.3:
        asked |= {"n": 2, "stop": "x", "logprobs": 2, "temperature": 0.7, "logit_bias": {"3": -9}}
    return "/v1/completions", asked


def _good(chance: random.Random, keys: Keyring) -> HostileCall:
    path, right = _right(chance, keys.tenant)
    body = json.dumps(right).encode()
    lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: hmi", b"Connection: close"]
    lines += [b"Authorization: Bearer " + keys.kept.encode(), b"Content-Type: application/json"]
    lines += [b"Content-Length: " + str(len(body)).encode(), b"", body]
    return HostileCall("good faith", b"\r\n".join(lines), whole=True, good=True)


def _slow(chance: random.Random, keys: Sequence[str]) -> HostileCall:
    _, right = _right(chance, TENANT)
    whole = _request(chance, keys, json.dumps(right).encode(), length=b"100000")
    head = whole.index(b"\r\n\r\n") + 4
    drips = chance.choice([1, head // 2, head, head + 1])
    return HostileCall("slow", whole + bytes(100), drips=drips)


def _deep(chance: random.Random, keys: Sequence[str]) -> bytes:
    depth = chance.choice([100, 1000, 50_000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ('{"input":[', "]}")])
    return _request(chance, keys, (opening * depth + "1" + closing * depth).encode())


def _oversized(chance: random.Random, keys: Sequence[str]) -> bytes:
    if chance.random() < 0.5:
        body = json.dumps({"model": f"{TENANT}/{CLASSIFIER}", "input": "x " * 40_000}).encode()
        return _request(chance, keys, body)
    length = chance.choice([b"99999999999", b"9" * 30, str(1 << 40).encode()])
    return _request(chance, keys, b"{}", length=length)


def _truncated(chance: random.Random, keys: Sequence[str]) -> bytes:
    whole = _odd_json(chance, keys)
    return whole[: chance.randrange(1, len(whole))]


def _encodings(chance: random.Random, keys: Sequence[str]) -> bytes:
    text = json.dumps({"model": f"{TENANT}/{CLASSIFIER}", "input": "é"}, ensure_ascii=False)
    body = chance.choice(
        [
            text.encode("utf-16"),
            text.encode("latin-1"),
            b"\xef\xbb\xbf" + text.encode(),
            b"\xff\xfe{",
            b'{"model": "acme/a", "input": "\\ud800"}',
            b'{"model": "\x00"}',
            text.encode("utf-32"),
        ]
    )
    kind = chance.choice(
        [b"application/json", b"application/json; charset=utf-16", b"text/plain", b"", b"a/b\xff"]
    )
    return _request(chance, keys, body, kind=kind)


def _headers(chance: random.Random, keys: Sequence[str]) -> bytes:
    tricks = [
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity, chunked",
        b"X: " + b"y" * chance.choice([100, 40_000]),
        b"Authorization: Bearer two",
        b"Host: another",
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        b"X-Request-Id: " + b"\x1b[2J",
        b"X-Request-Id: " + b"a" * 500,
        b"X-Forwarded-For: 127.0.0.1",
        b"X-HTTP-Method-Override: DELETE",
        b"Expect: 100-continue",
        b"Last-Event-ID: " + b"9" * 30,
        b"Range: bytes=0-18446744073709551615",
        b"A : b",
        b" folded",
        b"no colon",
        b"\x00: \x00",
        b"\r\nGET /v1/status HTTP/1.1",
    ]
    chosen = chance.sample(tricks, chance.randrange(1, 4))
    return _request(chance, keys, chance.choice([b"", b"{}"]), headers=chosen)


def _paths(chance: random.Random, keys: Sequence[str]) -> bytes:
    base = chance.choice(PATHS)
    tricks: list[str | bytes] = [
        base + "/../status",
        base + "%2f..%2fstatus",
        base.replace("/", "//"),
        base + "/",
        base + "%00",
        base + "%ff%fe",
        base + ";a=b",
        base
        + "?"
        + "&".join(f"{chance.choice(FIELDS)}={chance.choice(ODD)[:50]!r}" for _ in "abc"),
        base + "?limit=99999999999999999999&cursor=-1&sort='",
        base + "?limit=1&limit=2&cursor=%ff",
        base + "?" + "q=" + "x" * 5000,
        "/" + "a" * 40_000,
        "http://elsewhere" + base,
        "//elsewhere" + base,
        "*",
        base.encode() + b"\xff\x80",
        "/v1/vplms/" + "%2e%2e/" * 20,
        "/v1/adapters/" + "../" * 8 + "etc/passwd",
        "/v1/adapters/" + "..%2f" * 8 + "etc%2fpasswd/file",
        "/v1/tenants/%F0%9F%92%A9",
    ]
    path = chance.choice(tricks)
    spaced = path.replace(" ", "%20") if isinstance(path, str) else path
    return _request(chance, keys, path=spaced, method=chance.choice(("GET", "DELETE", "POST")))


def _tensors(chance: random.Random, keys: Sequence[str]) -> bytes:
    path = chance.choice(["/v1/adapters", "/v1/adapters:adapterhub"])
    return _request(
        chance, keys, lying_tensors(chance), path=path, kind=b"application/octet-stream"
    )


def _uploads(chance: random.Random, keys: Sequence[str]) -> bytes:
    body = chance.choice(
        [
            b"\x1f\x8b\x08" + b"x" * 50,
            b"\xff\xfe\x00",
            b'{"text": 1}\n' * 20,
            b"[" * 9000,
            b"a,b\n",
            b'{"text": "a", "label": "' + b"y" * 9000 + b'"}\n',
            b"\n" * 500,
            b'"' * 300,
        ]
    )
    path = chance.choice(["/v1/tenants/acme/datasets/d", "/v1/domains/none/corpus"])
    path += chance.choice(["", "?format=csv", "?task=tokens", "?text=label", "?format=xml"])
    return _request(chance, keys, body, path=path, method="PUT", kind=b"application/octet-stream")


def _chunked(chance: random.Random, keys: Sequence[str]) -> bytes:
    chunks = chance.choice(
        [
            b"2\r\n{}\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\n{}",
            b"-1\r\n",
            b"2;x=" + b"y" * 9000,
            b"zz\r\n",
            b"2\r\n{}0\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
            b"1\r\n",
        ]
    )
    head = _request(chance, keys, method="POST", headers=[b"Transfer-Encoding: chunked"])
    return head + chunks


def _noise(chance: random.Random, _keys: Sequence[str]) -> bytes:
    return chance.choice([b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00"]) + chance.randbytes(
        chance.randrange(1, 400)
    )


KINDS: dict[str, Callable[[random.Random, Sequence[str]], bytes]] = {
    "odd JSON": _odd_json,
    "nearly right": _nearly_right,
    "deep": _deep,
    "oversized": _oversized,
    "truncated": _truncated,
    "encodings": _encodings,
    "headers": _headers,
    "paths": _paths,
    "lying tensors": _tensors,
    "uploads": _uploads,
    "chunked": _chunked,
    "noise": _noise,
}
WHOLE = {"odd JSON", "nearly right", "deep", "encodings", "paths", "lying tensors", "uploads"}
"""Kinds whose requests are as long as they say."""
