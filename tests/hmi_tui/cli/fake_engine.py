"""An engine that answers what it was told to: HTTP on a Unix socket, standard library only.

Run as a program (`python fake_engine.py SOCKET`) it is a process that can be started and stopped.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel

from tests.hmi_tui.cli import documents


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Document = BaseModel | dict[str, Any] | list[BaseModel] | bytes | None
Answer = Document | Callable[[Asked], Document]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error document instead of an answer."""

    status: int
    code: str
    detail: str
    remedy: str = "Do something else."
    line: int | None = None


def page(*items: BaseModel, **more: Any) -> dict[str, Any]:
    data = [item.model_dump(mode="json") for item in items]
    return {"data": data, "total": len(data), "next_cursor": None, **more}


class FakeEngine:
    """Answers by (method, path); a list is an event stream, None an empty answer."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.asked: list[Asked] = []
        self.stopped = threading.Event()
        self._answers: dict[tuple[str, str], Answer | Problem] = {}
        self.on("GET", "/livez", {})
        self.on("GET", "/readyz", {"ready": True, "reasons": []})
        self.on("GET", "/v1/version", {"version": "0.1.0", "api": "v1"})
        self.on("GET", "/v1/status", documents.a_status(os.getpid()))
        self.on("POST", "/v1/stop", lambda _asked: self.stopped.set())
        self._server = _Server(str(socket), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def on(self, method: str, path: str, answer: Answer | Problem) -> None:
        self._answers[method, path] = answer

    def answer(self, asked: Asked) -> Document | Problem:
        self.asked.append(asked)
        found = self._answers.get((asked.method, asked.path))
        if (asked.method, asked.path) not in self._answers:
            return Problem(404, "not_found", f"There is no {asked.method} {asked.path}.")
        return found(asked) if callable(found) else found

    def calls(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.socket.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: str, engine: FakeEngine) -> None:
        super().__init__(path, _Handler)
        self.engine = engine

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked = Asked(self.command, unquote(parts.path), query, self._body())
        self._send(self.server.engine.answer(asked))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, answer: Document | Problem) -> None:
        kind, status = "application/json", 200
        if isinstance(answer, Problem):
            kind, status = "application/problem+json", answer.status
            told = {"code": answer.code, "detail": answer.detail, "remedy": answer.remedy}
            body = json.dumps(told | {"line": answer.line} if answer.line else told).encode()
        elif isinstance(answer, list):
            kind = "text/event-stream"
            body = b"".join(f"data: {one.model_dump_json()}\n\n".encode() for one in answer)
        elif isinstance(answer, bytes):
            kind, body = "application/octet-stream", answer
        elif isinstance(answer, BaseModel):
            body = answer.model_dump_json().encode()
        else:
            status, body = (204, b"") if answer is None else (200, json.dumps(answer).encode())
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        return


def that_can_demo(engine: FakeEngine) -> None:
    """Answers for everything that `hmi demo` asks."""
    labels = ("refund", "delivery", "account", "technical", "praise")
    engine.on("GET", "/v1/domains", {"data": [documents.a_domain().model_dump()]})
    engine.on("POST", "/v1/domains", lambda asked: documents.a_domain(asked.json["name"]))
    for name in ("general", "support", "billing", "clinic"):
        receipt = {"domain": name, "lines": 9, "bytes": 99, "sha256": "00"}
        engine.on("PUT", f"/v1/domains/{name}/corpus", receipt)
        engine.on("POST", f"/v1/domains/{name}/rebuild", {"id": "j1"})
        engine.on("GET", f"/v1/domains/{name}", documents.a_domain(name))
    engine.on("GET", "/v1/jobs/j1/events", [documents.a_job("running", 0.5), documents.a_job()])
    engine.on("GET", "/v1/jobs/j1", documents.a_job())
    engine.on("POST", "/v1/tenants", lambda asked: documents.a_new_tenant(asked.json["name"]))
    engine.on("POST", "/v1/vplms:bulk", {"created": ["acme/desk-00001"]})
    engine.on("POST", "/v1/vplms", lambda asked: documents.a_vplm(f"acme/{asked.json['name']}"))
    trained = documents.a_vplm("acme/tickets", accuracy=0.9)
    engine.on("GET", "/v1/vplms/acme/tickets", trained)
    for name in ("tickets", "letters"):
        dataset = {"tenant": "acme", "name": name, "rows": 9, "labels": {"a": 9}, "bytes": 9}
        engine.on("PUT", f"/v1/tenants/acme/datasets/{name}", dataset)
    engine.on("POST", "/v1/completions", _completed)
    engine.on("POST", "/v1/jobs", {"id": "j1"})
    engine.on("GET", "/v1/vplms", page(trained))
    engine.on("POST", "/v1/classify", lambda asked: _classified(asked, labels))


def _classified(asked: Asked, labels: tuple[str, ...] = ("no", "yes")) -> dict[str, Any]:
    given = asked.json["input"]
    texts = [given] if isinstance(given, str) else given
    return documents.an_answer(asked.json["model"], texts, labels)


def _completed(asked: Asked) -> dict[str, Any]:
    choice = {"index": 0, "text": f" in {asked.json['mode']} mode", "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    model = asked.json["model"]
    return {"id": "g", "created": 1, "model": model, "choices": [choice], "usage": usage}


def that_classifies(engine: FakeEngine) -> None:
    engine.on("POST", "/v1/classify", _classified)


if __name__ == "__main__":
    # As the real one: what one that was killed left is replaced, and a pid stays in the lock's
    # file unless it ends in order.
    place = Path(sys.argv[1])
    place.unlink(missing_ok=True)
    lock = place.with_name(place.name + ".lock")
    lock.write_text(f"{os.getpid()}\n")
    with FakeEngine(place) as alone:
        that_can_demo(alone)
        alone.stopped.wait()
    lock.write_text("")
