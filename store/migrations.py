"""The catalogue's schema, one step at a time. A step that has shipped is never changed."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("hmi")


def unknown_steps(db: Database) -> list[str]:
    """Steps that `db` has had and that this version does not know: a newer one wrote it."""
    return unknown(step.name for step in MIGRATIONS.applied(db))


def unknown(steps: Iterable[str]) -> list[str]:
    """Those of `steps` that this version does not know."""
    # On an empty database every step that this version knows is pending.
    with Database(memory=True) as empty:
        return sorted(set(steps) - {step.name for step in MIGRATIONS.pending(empty)})


@MIGRATIONS()
def m001_tenants_and_domains(db: Database) -> None:
    db.table("tenants").create(
        {"name": str, "weight": float, "quota": str, "key_digest": str, "created_at": float},
        pk="name",
        not_null={"weight", "quota", "key_digest", "created_at"},
        strict=True,
    )
    db.table("tenants").create_index(["key_digest"])
    db.table("domains").create(
        {
            "name": str,
            "parent": str,
            "epoch": int,
            "state": str,
            "encoder": str,
            "corpus_bytes": int,
            "corpus_lines": int,
            "params": str,
            "created_at": float,
        },
        pk="name",
        not_null={"epoch", "state", "corpus_bytes", "corpus_lines", "params", "created_at"},
        foreign_keys=[("parent", "domains", "name")],
        strict=True,
    )
    db.table("domains").create_index(["parent"])


@MIGRATIONS()
def m002_adapters_and_vplms(db: Database) -> None:
    db.table("adapters").create(
        {
            "id": str,
            "bytes": int,
            "rank": int,
            "places": str,
            "labels": int,
            "created_by": str,
            "metadata": str,
            "created_at": float,
        },
        pk="id",
        not_null={"bytes", "rank", "places", "labels", "created_by", "metadata", "created_at"},
        strict=True,
    )
    columns = {
        "tenant": str,
        "name": str,
        "kind": str,
        "domain": str,
        "labels": str,
        "mode": str,
        "rank": int,
        "adapter": str,
        "version": int,
        "pinned": int,
        "accuracy": float,
        "created_at": float,
    }
    db.table("vplms").create(
        columns,
        pk=("tenant", "name"),
        not_null=set(columns) - {"accuracy"},
        foreign_keys=[
            ("tenant", "tenants", "name"),
            ("domain", "domains", "name"),
            ("adapter", "adapters", "id"),
        ],
        strict=True,
    )
    db.table("vplms").create_index(["domain"])
    db.table("vplms").create_index(["adapter"])


@MIGRATIONS()
def m003_jobs_and_datasets(db: Database) -> None:
    columns = {
        "id": str,
        "type": str,
        "subject": str,
        "state": str,
        "params": str,
        "created_at": float,
        "progress": float,
        "message": str,
        "error": str,
        "result": str,
        "loss": str,
        "accuracy": str,
        "started_at": float,
        "finished_at": float,
    }
    db.table("jobs").create(
        columns,
        pk="id",
        not_null=set(columns) - {"error", "started_at", "finished_at"},
        strict=True,
    )
    db.table("jobs").create_index(["created_at"])
    db.table("jobs").create_index(["state"])
    columns = {
        "tenant": str,
        "name": str,
        "rows": int,
        "labels": str,
        "bytes": int,
        "sha256": str,
        "path_name": str,
        "created_at": float,
    }
    db.table("datasets").create(
        columns,
        pk=("tenant", "name"),
        not_null=set(columns),
        foreign_keys=[("tenant", "tenants", "name")],
        strict=True,
    )


@MIGRATIONS()
def m004_miss_policy_of_a_vplm(db: Database) -> None:
    db.table("vplms").add_column("miss", str)


@MIGRATIONS()
def m005_update_policy_of_a_domain(db: Database) -> None:
    db.table("domains").add_column("policy", str, not_null_default="{}")


@MIGRATIONS()
def m006_last_use_of_a_vplm_and_requests_by_month(db: Database) -> None:
    db.table("vplms").add_column("last_used", float)
    db.table("usage").create(
        {"tenant": str, "month": str, "requests": int},
        pk=("tenant", "month"),
        not_null={"tenant", "month", "requests"},
        foreign_keys=[("tenant", "tenants", "name")],
        strict=True,
    )


@MIGRATIONS()
def m007_epochs_of_a_domain(db: Database) -> None:
    columns = {
        "domain": str,
        "epoch": int,
        "entries": int,
        "bytes": int,
        "alpha": float,
        "coverage": float,
        "encoder": str,
        "seconds": float,
        "hits": int,
        "lookups": int,
        "published_at": float,
        "replaced_at": float,
    }
    db.table("epochs").create(
        columns,
        pk=("domain", "epoch"),
        not_null=set(columns) - {"encoder", "replaced_at"},
        foreign_keys=[("domain", "domains", "name")],
        strict=True,
    )


@MIGRATIONS()
def m008_versions_of_a_vplm(db: Database) -> None:
    columns = {
        "tenant": str,
        "name": str,
        "version": int,
        "adapter": str,
        "accuracy": float,
        "origin": str,
        "source": str,
        "published_at": float,
    }
    db.table("versions").create(
        columns,
        pk=("tenant", "name", "version"),
        not_null=set(columns) - {"accuracy"},
        foreign_keys=[("tenant", "tenants", "name"), ("adapter", "adapters", "id")],
        strict=True,
    )
    db.table("versions").create_index(["adapter"])
    # Of what was published before versions were kept, the one that serves is left.
    db.execute("""
        insert into versions
        select tenant, name, version, adapter, accuracy,
            case version when 1 then 'created' else 'trained' end, '', created_at
        from vplms
    """)


@MIGRATIONS()
def m009_starting_points_and_backbones(db: Database) -> None:
    columns = {
        "owner": str,
        "name": str,
        "version": int,
        "adapter": str,
        "labels": str,
        "domain": str,
        "mode": str,
        "accuracy": float,
        "card": str,
        "source": str,
        "published_at": float,
    }
    db.table("starters").create(
        columns,
        pk=("owner", "name", "version"),
        not_null=set(columns) - {"accuracy"},
        foreign_keys=[("adapter", "adapters", "id")],
        strict=True,
    )
    db.table("starters").create_index(["adapter"])
    columns = {
        "name": str,
        "version": int,
        "sha256": str,
        "family": str,
        "layers": int,
        "hidden": int,
        "split": int,
        "bytes": int,
        "imported_at": float,
    }
    db.table("backbones").create(
        columns, pk=("name", "version"), not_null=set(columns), strict=True
    )
    db.table("backbones").create_index(["sha256"], unique=True)
    # Whoever refers to an adapter keeps it: every question of use is asked of this one view.
    db.create_view(
        "adapter_uses",
        """
        select adapter, tenant from versions
        union all select adapter, owner as tenant from starters
        """,
    )


@MIGRATIONS()
def m010_task_of_a_vplm_and_of_a_dataset(db: Database) -> None:
    db.table("vplms").add_column("task", str, not_null_default="classify")
    db.table("datasets").add_column("task", str, not_null_default="classify")


@MIGRATIONS()
def m011_what_was_counted_in_a_dataset(db: Database) -> None:
    for counted in ("duplicates", "conflicts", "too_long"):
        db.table("datasets").add_column(counted, int)


@MIGRATIONS()
def m012_keys_of_tenants_and_of_the_operator(db: Database) -> None:
    columns = {
        "id": str,
        "tenant": str,
        "digest": str,
        "scopes": str,
        "created_at": float,
        "expires_at": float,
    }
    db.table("keys").create(columns, pk="id", not_null=set(columns) - {"expires_at"}, strict=True)
    db.table("keys").create_index(["tenant"])
    db.table("secrets").create(
        {"name": str, "value": bytes}, pk="name", not_null={"value"}, strict=True
    )
    secret = secrets.token_bytes(32)
    db.table("secrets").insert({"name": "keys", "value": secret})
    # A key from before goes on working; what it is called by is made up, for it has no beginning
    # that would tell it from others.
    for row in list(db.query("select name, key_digest, created_at from tenants")):
        if old := row["key_digest"]:
            db.table("keys").insert(
                {
                    "id": f"hmi-{old[:12]}",
                    "tenant": row["name"],
                    "digest": hmac.digest(secret, old.encode(), "sha256").hex(),
                    "scopes": '["infer", "train", "manage"]',
                    "created_at": row["created_at"],
                    "expires_at": None,
                }
            )
    db.execute("update tenants set key_digest = ''")


@MIGRATIONS()
def m013_what_a_domain_knows_for_each_backbone(db: Database) -> None:
    columns = {
        "domain": str,
        "backbone": str,
        "epoch": int,
        "state": str,
        "encoder": str,
        "params": str,
    }
    db.table("knowledge").create(
        columns,
        pk=("domain", "backbone"),
        not_null=set(columns) - {"encoder"},
        foreign_keys=[("domain", "domains", "name")],
        strict=True,
    )
    # Of which backbone that is, tables and encoders say; an engine that reads them enters it.
    db.execute("""
        insert into knowledge
        select name, '', epoch, state, encoder, params from domains
        where epoch > 0 or encoder is not null or params != '{}'
    """)
    for moved in ("epoch", "state", "encoder", "params"):
        db.execute(f"alter table domains drop column {moved}")
    db.table("epochs").add_column("backbone", str, not_null_default="")


@MIGRATIONS()
def m014_backbone_of_a_vplm(db: Database) -> None:
    db.table("vplms").add_column("backbone", str, not_null_default="")
    # Until here it was said by what its adapter was made for, and by that alone.
    db.execute("""
        update vplms set backbone = coalesce(
            (select json_extract(metadata, '$.backbone_sha256') from adapters
             where id = vplms.adapter and json_valid(metadata)), '')
    """)
    db.table("vplms").create_index(["backbone"])
