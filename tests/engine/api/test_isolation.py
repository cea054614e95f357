"""Every route x every kind of caller, made from the route table: a new route cannot be forgotten.

A route that is not in `Access`' table, or that a tenant may use and OWN does not know, fails here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from starlette.routing import Route

from engine.api.access import ACCESS, Access
from engine.api.app import create_app, routes_of
from engine.api.guard import OPEN_PATHS
from engine.api.port import Port
from engine.api.tenant_view import TenantView
from engine.config import Paths, Settings
from engine.errors import NotFound
from engine.schema import SCOPES
from tests.engine.api.running import Running, running
from tests.engine.api.scripted import ScriptedAppliance

SPEC = {"labels": ["no", "yes"]}
ROWS = b'{"text": "a", "label": "no"}\n'
ACME = {
    "tenant": "acme",
    "name": "polarity",
    "adapter": "ab",
    "job": "j1",
    "key": "hmi-0123456789ab",
    "owner": "acme",
}
"""What the parts of a path are called that belong to acme."""
BODIES: dict[str, dict[str, Any]] = {
    "create_vplm": {**SPEC, "tenant": "acme", "name": "new"},
    "create_vplms": {**SPEC, "tenant": "acme", "name": "new", "count": 2},
    "change_vplm": {"mode": "exact"},
    "publish_adapter": {"adapter": "ab"},
    "roll_back": {"version": 1},
    "promote": {"to": "live"},
    "publish_starter": {"name": "po", "vplm": "acme/polarity"},
    "train": {"vplm": "acme/polarity", "dataset": "films"},
    "classify": {"model": "acme/polarity", "input": "good"},
    "tag": {"model": "acme/polarity", "input": "good"},
    "predict": {"model": "acme/polarity", "input": "good"},
    "embeddings": {"model": "acme/polarity", "input": "good"},
    "completions": {"model": "acme/polarity", "prompt": "good"},
}
"""For routes whose body says whose the thing is, acme's."""
SHARED = {"version", "openapi", "swagger_ui_html", "swagger_ui_redirect", "starter"}
"""What every tenant sees alike."""
LISTS = {"tenants", "vplms", "jobs", "models", "starters"}
"""What gives each tenant its own: asked as it is, a stranger gets their own list, not acme's."""
STREAMS = {"events", "job_events"}


@dataclass(frozen=True)
class Asked:
    route: str
    method: str
    path: str
    body: dict[str, Any] | bytes | None
    access: Access

    def send(self, http: httpx2.Client, key: str | None) -> httpx2.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        more: dict[str, Any] = {}
        if isinstance(self.body, bytes):
            more["content"] = self.body
        elif self.body is not None:
            more["json"] = self.body
        with http.stream(self.method, self.path, headers=headers, **more) as answer:
            # A stream that was let in goes on; that it was is enough.
            if answer.status_code >= 400 or self.route not in STREAMS:
                answer.read()
        return answer


def _routes() -> list[Asked]:
    settings = Settings(paths=Paths.find("/nowhere"))
    app = create_app(ScriptedAppliance(), settings, audit=cast("Any", None), stop=lambda: None)
    found = []
    for route in routes_of(app):
        if not isinstance(route, Route):
            continue
        path = re.sub(r"{(\w+)}", lambda part: ACME.get(part[1], "1"), route.path)
        body: dict[str, Any] | bytes | None = BODIES.get(route.name)
        if route.name == "put_dataset":
            body = ROWS
        for method in sorted((route.methods or set()) - {"HEAD"}):
            access = ACCESS.get(route.name, Access("operator", "manage"))
            found.append(Asked(route.name, method, path, body, access))
    return found


JSON = {"Content-Type": "application/json"}
ROUTES = _routes()


def each(routes: list[Asked]) -> pytest.MarkDecorator:
    """The test for each of them."""
    names = [f"{asked.method} {asked.route}" for asked in routes]
    return pytest.mark.parametrize("asked", routes, ids=names)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, httpx2.Client]]:
    """An engine on the network, and a client that knows no key."""
    with (
        running(tmp_path_factory.mktemp("e"), ScriptedAppliance(), listen="127.0.0.1:0") as engine,
        httpx2.Client(base_url=engine.url, timeout=20.0) as http,
    ):
        yield engine, http


def test_every_route_is_in_the_table_and_the_table_has_no_others() -> None:
    assert {asked.route for asked in ROUTES} == set(ACCESS)
    assert {asked.path for asked in ROUTES if asked.access.who == "anybody"} == set(OPEN_PATHS)


@each(ROUTES)
def test_without_a_valid_key_nothing_answers_but_what_is_open(
    door: tuple[Running, httpx2.Client], asked: Asked
) -> None:
    engine, http = door
    engine.appliance.forget()
    answers = [asked.send(http, key) for key in (None, "hmi-wrong", "hmi-revoked")]
    if asked.access.who == "anybody":
        assert [answer.status_code for answer in answers] == [200] * 3
        return
    assert [answer.status_code for answer in answers] == [401] * 3
    # No key, a wrong one and a revoked one cannot be told apart.
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert engine.appliance.calls == []


@each(ROUTES)
def test_the_operators_key_opens_everything(
    door: tuple[Running, httpx2.Client], asked: Asked
) -> None:
    engine, http = door
    engine.appliance.forget()
    status = _let_in(engine, http, asked, "hmi-operator").status_code
    # 422: let in, and told that the body is missing.
    assert status < 400 or status == 422


@each(ROUTES)
def test_a_tenants_key_opens_its_own_things_and_nothing_of_the_operators(
    door: tuple[Running, httpx2.Client], asked: Asked
) -> None:
    engine, http = door
    engine.appliance.forget()
    answer = _let_in(engine, http, asked, "hmi-acme")
    if asked.access.who != "operator":
        assert answer.status_code < 400, answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route")
    assert engine.appliance.calls == []


@each([r for r in ROUTES if r.access.who == "tenants" and r.route not in SHARED | LISTS])
def test_another_tenants_key_finds_nothing_there(
    door: tuple[Running, httpx2.Client], asked: Asked
) -> None:
    engine, http = door
    engine.appliance.forget()
    there = asked.send(http, "hmi-globex")
    gone = Asked(
        asked.route,
        asked.method,
        asked.path.replace("acme", "nobody"),
        _renamed(asked.body),
        asked.access,
    ).send(http, "hmi-globex")
    assert there.status_code == gone.status_code == 404
    # What is another's is told in the very words of what is not there at all.
    assert there.text.replace("acme", "nobody") == gone.text
    # It was looked up, if at all, only to see that it is not theirs.
    assert {name for name, _ in engine.appliance.calls} <= {"job", "adapter"}


@each([r for r in ROUTES if r.access.who == "tenants"])
def test_a_key_is_good_for_its_scopes_alone(
    door: tuple[Running, httpx2.Client], asked: Asked
) -> None:
    engine, http = door
    for scope in SCOPES:
        engine.appliance.forget()
        answer = _let_in(engine, http, asked, f"hmi-acme-{scope}")
        if asked.access.scope in (None, scope) or _escalates(asked, answer):
            continue
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        # A stream that the right key began may still be asking.
        assert asked.route in STREAMS or engine.appliance.calls == []


def test_the_tenants_view_has_the_ports_methods_and_parameters() -> None:
    shown = [name for name in dir(TenantView) if not name.startswith("_") and name != "events"]
    assert len(shown) > 30
    for name in shown:
        own, ports = (inspect.signature(getattr(kind, name)) for kind in (TenantView, Port))
        assert own == ports, name
    with pytest.raises(NotFound, match="no such route"):
        TenantView(ScriptedAppliance(), "acme", frozenset(SCOPES)).status()


def test_lists_give_a_tenant_its_own(door: tuple[Running, httpx2.Client]) -> None:
    engine, http = door
    headers = {"Authorization": "Bearer hmi-globex"}
    engine.appliance.forget()
    for path in ("/v1/vplms", "/v1/jobs", "/v1/models", "/v1/starters"):
        assert http.get(path, headers=headers).status_code == 200
    told = [arguments for _, arguments in engine.appliance.calls]
    assert all("globex" in arguments for arguments in told)
    assert len(told) == 4
    for path in ("/v1/vplms?tenant=acme", "/v1/starters?tenant=acme"):
        assert http.get(path, headers=headers).status_code == 404


def test_what_a_vplm_is_made_from_must_be_the_tenants_too(
    door: tuple[Running, httpx2.Client],
) -> None:
    _, http = door
    headers = {"Authorization": "Bearer hmi-globex"}
    made = {"tenant": "globex", "name": "mine"}
    for start in (
        {"adapter": "ab", "labels": ["a", "b"]},
        {"from_vplm": "acme/polarity"},
        {"from_vplm": "acme/polarity:1"},
        {"from_starter": "acme/po"},
    ):
        answer = http.post("/v1/vplms", json={**made, **start}, headers=headers)
        assert answer.status_code == 404, start
    for path, body in (
        ("/v1/vplms/globex/mine/versions", {"adapter": "ab"}),
        ("/v1/starters", {"name": "x", "vplm": "acme/polarity"}),
        ("/v1/starters", {"name": "x", "vplm": "globex/mine", "owner": "acme"}),
        ("/v1/jobs", {"vplm": "globex/mine", "dataset": "d", "resume": "j1"}),
    ):
        assert http.post(path, json=body, headers=headers).status_code == 404, path


def test_what_a_tenant_may_see_says_nothing_of_others(door: tuple[Running, httpx2.Client]) -> None:
    _, http = door
    headers = {"Authorization": "Bearer hmi-globex"}
    assert "acme" not in http.get("/v1/starters", headers=headers).text
    assert "acme" not in http.get("/v1/starters/polarity", headers=headers).text


def test_a_tenants_key_makes_none_that_opens_more(door: tuple[Running, httpx2.Client]) -> None:
    _, http = door
    headers = {"Authorization": "Bearer hmi-acme-manage"}
    path = "/v1/tenants/acme/keys"
    assert http.post(path, json={"scopes": ["manage"]}, headers=headers).status_code == 201
    answer = http.post(path, json={"scopes": ["infer", "manage"]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    "value",
    [
        "hmi-acme",
        "Basic hmi-acme",
        "Bearer",
        "Bearer hmi-acme hmi-acme",
        "Bearer hmi-acme,",
        "Bearer  hmi-acmé".encode().decode("latin-1"),
        f"Bearer {'k' * 300}",
    ],
)
def test_what_is_no_bearers_key_opens_nothing(
    door: tuple[Running, httpx2.Client], value: str
) -> None:
    _, http = door
    answer = http.get("/v1/models", headers={b"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401


def test_two_keys_at_once_open_nothing(door: tuple[Running, httpx2.Client]) -> None:
    _, http = door
    twice = [("Authorization", "Bearer hmi-acme"), ("Authorization", "Bearer hmi-globex")]
    assert http.get("/v1/models", headers=twice).status_code == 401


def test_a_path_cannot_be_written_so_that_it_escapes_the_table(
    door: tuple[Running, httpx2.Client],
) -> None:
    engine, http = door
    engine.appliance.forget()
    for path in (
        "/v1//status",
        "/v1/./status",
        "/v1/status/",
        "/V1/status",
        "/v1/%73tatus",
        "/v1/tenants/globex/../acme",
        "/v1/tenants/globex%2f..%2facme",
        "/v1/vplms/globex/../../tenants/acme",
        "/livez/../v1/status",
        "/livez%2f..%2fv1%2fstatus",
        "/readyz;/v1/status",
    ):
        # As it is: the client would tidy it up.
        request = httpx2.Request(
            "GET",
            f"{engine.url}/",
            headers={"Authorization": "Bearer hmi-globex"},
            extensions={"target": path.encode()},
        )
        answer = http.send(request)
        assert answer.status_code in (401, 404), path
    assert engine.appliance.calls == []


def test_over_the_socket_no_key_is_asked_for(door: tuple[Running, httpx2.Client]) -> None:
    engine, _ = door
    with engine.http() as http:
        assert http.get("/v1/status").status_code == 200
        # A key that comes along changes nothing.
        headers = {"Authorization": "Bearer hmi-acme-infer"}
        assert http.get("/v1/status", headers=headers).status_code == 200


def test_no_key_is_in_any_log_or_answer(
    door: tuple[Running, httpx2.Client], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    engine, http = door
    engine.appliance.fails["vplms"] = RuntimeError("unforeseen")
    key = "hmi-acme"
    headers = {"Authorization": f"Bearer {key}"}
    answers = [
        http.get("/v1/vplms", headers=headers),
        http.get("/v1/status", headers=headers),
        http.post("/v1/classify", content=b"{", headers=headers | JSON),
        http.get("/v1/models", headers={"Authorization": f"Bearer {key}-secret"}),
    ]
    assert [answer.status_code for answer in answers] == [500, 404, 400, 401]
    assert key not in caplog.text
    assert "unforeseen" in caplog.text
    assert not any(key in answer.text for answer in answers)
    engine.appliance.forget()


def _renamed(body: dict[str, Any] | bytes | None) -> dict[str, Any] | bytes | None:
    if not isinstance(body, dict):
        return body
    return {
        name: value.replace("acme", "nobody") if isinstance(value, str) else value
        for name, value in body.items()
    }


def _let_in(engine: Running, http: httpx2.Client, asked: Asked, key: str) -> httpx2.Response:
    if asked.route == "stop":
        # It would end the engine for all tests that come after.
        engine.app.state.stop, stop = lambda: None, engine.app.state.stop
        try:
            return asked.send(http, key)
        finally:
            engine.app.state.stop = stop
    return asked.send(http, key)


def _escalates(asked: Asked, answer: httpx2.Response) -> bool:
    """A key with one scope may not make one with all, which is asked for without a body."""
    return asked.route == "create_tenant_key" and answer.status_code == 403
