"""What the appliance answers about keys: who has which is told by KEYS."""

from __future__ import annotations

from engine.caller import ALL_SCOPES, Caller
from engine.schema import Key, KeyCreate, KeyCreated, KeyList
from tests.engine.api.scripted.script import Script

KEYS: dict[str, tuple[str | None, frozenset[str]]] = {
    "hmi-operator": (None, ALL_SCOPES),
    "hmi-operator-infer": (None, frozenset({"infer"})),
    "hmi-acme": ("acme", ALL_SCOPES),
    "hmi-acme-infer": ("acme", frozenset({"infer"})),
    "hmi-acme-train": ("acme", frozenset({"train"})),
    "hmi-acme-manage": ("acme", frozenset({"manage"})),
    "hmi-globex": ("globex", ALL_SCOPES),
    "hmi-revoked": ("acme", ALL_SCOPES),
}
"""By key: the tenant, None for the operator, and what the key is for."""

_KEY = Key(id="hmi-0123456789ab", tenant="acme", scopes=["infer"], created_at=1.0)


class KeyAnswers(Script):
    def _script(self) -> None:
        super()._script()
        self.has_keys = True
        self.counted: list[str] = []
        self.revoked = {"hmi-revoked"}

    def caller(self, key: str, peer: str) -> Caller | None:
        if key in self.revoked or key not in KEYS:
            return None
        tenant, scopes = KEYS[key]
        return Caller(tenant, key, scopes, peer)

    def count_call(self, tenant: str) -> None:
        self.counted.append(tenant)
        if "count_call" in self.fails:
            raise self.fails["count_call"]

    def keys(self, tenant: str | None) -> KeyList:
        self._do("keys", tenant)
        return KeyList(data=[_KEY])

    def create_key(self, tenant: str | None, request: KeyCreate) -> KeyCreated:
        self._do("create_key", tenant, request)
        return KeyCreated(**_KEY.model_dump(), api_key="hmi-0123456789ab-secret")

    def revoke_key(self, tenant: str | None, id: str) -> None:
        self._do("revoke_key", tenant, id)
