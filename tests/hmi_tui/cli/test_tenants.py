from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

from engine.schema import AuditEntry, AuditPage, Key, KeyCreated, KeyList, Quota
from tests.hmi_tui.cli.documents import a_new_tenant, a_tenant
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem, page

Run = Callable[..., Result]
KEY = Key(id="hmi-0123456789ab", tenant="acme", scopes=["infer"], created_at=1.0)


def test_a_new_key_is_data_and_the_advice_is_narration(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/tenants", a_new_tenant())
    result = run("tenant", "create", "acme", "--max-vplms", "5", "--max-bytes", "1M")
    assert "hmi_secret" in result.stdout
    assert "hmi_secret" not in result.stderr
    assert "once" in result.stderr
    assert engine.asked[-1].json["quota"] == {
        "vplms": 5,
        "bytes": 1 << 20,
        "rps": None,
        "concurrency": None,
        "training_minutes": None,
    }


def test_quiet_prints_ids_only(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants", page(a_tenant("acme"), a_tenant("birch")))
    assert run("tenant", "ls", "-q").stdout == "acme\nbirch\n"


def test_json_is_the_engines_document(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants", page(a_tenant()))
    document = json.loads(run("tenant", "ls", "--json").stdout)
    assert document["total"] == 1
    assert document["data"][0] == a_tenant().model_dump(mode="json")


def test_a_listing_follows_all_pages(engine: FakeEngine, run: Run) -> None:
    pages = {
        None: page(a_tenant("a"), next_cursor="c1", total=2),
        "c1": page(a_tenant("b"), total=2),
    }
    engine.on("GET", "/v1/tenants", lambda asked: pages[asked.query.get("cursor")])
    assert run("tenant", "ls", "-q").stdout == "a\nb\n"
    assert run("tenant", "ls", "-q", "--limit", "1").stdout == "a\n"


def test_setting_one_limit_keeps_the_others(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants/acme", a_tenant(quota=Quota(vplms=9, rps=3.0)))
    engine.on("PATCH", "/v1/tenants/acme", a_tenant())
    run("tenant", "set", "acme", "--max-rps", "none", "--max-concurrency", "4")
    quota = engine.asked[-1].json["quota"]
    assert (quota["vplms"], quota["rps"], quota["concurrency"]) == (9, None, 4)


def test_setting_nothing_is_a_usage_error(engine: FakeEngine, run: Run) -> None:
    assert "Nothing to change" in run("tenant", "set", "acme", code=2).stderr


def test_a_key_cannot_be_shown_again_only_rotated(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants/acme", a_tenant())
    engine.on("GET", "/v1/tenants/acme/keys", KeyList(data=[KEY]))
    made = KeyCreated(**KEY.model_dump(), api_key="hmi_secret")
    engine.on("POST", "/v1/tenants/acme/keys", made)
    shown = run("tenant", "key", "acme").stdout
    assert KEY.id in shown
    assert "hmi_secret" not in shown
    assert "hmi_secret" in run("tenant", "key", "acme", "--rotate").stdout
    everything = {"scopes": ["infer", "train", "manage"], "replaces": "all", "overlap_s": 0.0}
    assert engine.asked[-1].json == everything
    rotated = run("tenant", "key", "acme", "--rotate", "--id", KEY.id, "--overlap", "2h")
    assert "once" in rotated.stderr
    kept = {"scopes": ["infer"], "replaces": KEY.id, "overlap_s": 7200.0}
    assert engine.asked[-1].json == kept


def test_a_key_is_made_for_some_things_and_revoked_by_its_id(engine: FakeEngine, run: Run) -> None:
    made = KeyCreated(**KEY.model_dump(), api_key="hmi_secret")
    engine.on("GET", "/v1/keys", KeyList(data=[]))
    engine.on("POST", "/v1/keys", made)
    engine.on("DELETE", f"/v1/keys/{KEY.id}", None)
    run("key", "--new", "--scopes", "infer,train")
    assert engine.asked[-1].json["scopes"] == ["infer", "train"]
    assert run("key", "--revoke", KEY.id).stdout == f"{KEY.id}\n"
    for wrong in (["--new", "--rotate"], ["--overlap", "5"], ["--new", "--scopes", "all"]):
        run("key", *wrong, code=2)


def test_the_audit_log_is_shown_with_who_and_from_where(engine: FakeEngine, run: Run) -> None:
    entries = [
        AuditEntry(
            id=number,
            at=1.0,
            caller="acme",
            key="hmi-0123",
            peer="10.0.0.7:4711",
            action="create_vplm",
            method="POST",
            path="/v1/vplms",
            asked='{"name": "x"}',
            status=201,
            request="r",
        )
        for number in (2, 1)
    ]
    pages = {
        None: AuditPage(data=entries[:1], next_cursor="2"),
        "2": AuditPage(data=entries[1:]),
    }
    engine.on("GET", "/v1/audit", lambda asked: pages[asked.query.get("cursor")])
    shown = run("audit", "-f", "x").stdout
    for words in ("acme (hmi-0123)", "10.0.0.7:4711", "create_vplm", "/v1/vplms", "201"):
        assert words in shown
    assert engine.asked[-1].query["q"] == "x"
    assert run("audit", "-q").stdout == "2\n1\n"
    assert run("audit", "-q", "--limit", "1").stdout == "2\n"


def test_removing_names_what_was_removed(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/tenants/acme", a_tenant())
    engine.on("DELETE", "/v1/tenants/acme", None)
    assert run("tenant", "rm", "acme").stdout == "acme\n"


def test_an_error_is_told_with_its_remedy_and_ends_with_its_code(
    engine: FakeEngine, run: Run
) -> None:
    engine.on("GET", "/v1/tenants/x", Problem(404, "not_found", "There is no x.", "Make it."))
    result = run("tenant", "show", "x", code=4)
    assert result.stdout == ""
    assert result.stderr == "hmi: There is no x.\n     Make it.\n"


def test_a_quota_that_refuses_ends_with_five(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/tenants", Problem(403, "refused", "No more."))
    run("tenant", "create", "acme", code=5)
