"""The tenants as serving sees them: their weights and quotas, without asking the catalogue."""

from __future__ import annotations

from engine.serving.admission import TenantTerms
from store.catalogue import Catalogue
from store.rows import TenantRow

_NO_TERMS = TenantTerms()


class TenantBook:
    """Follows the catalogue; whoever changes a tenant there puts or drops it here."""

    def __init__(self, catalogue: Catalogue) -> None:
        rows, _ = catalogue.tenants.page(limit=-1)
        self._terms = {row.name: _terms(row) for row in rows}

    def terms(self, tenant: str) -> TenantTerms:
        """What holds now; no limits for a tenant that is gone."""
        return self._terms.get(tenant, _NO_TERMS)

    def weight(self, tenant: str) -> float:
        return self.terms(tenant).weight

    def put(self, row: TenantRow) -> None:
        """The tenant is new or has changed."""
        self._terms[row.name] = _terms(row)

    def drop(self, tenant: str) -> None:
        """The tenant is gone."""
        self._terms.pop(tenant, None)


def _terms(row: TenantRow) -> TenantTerms:
    concurrency = row.quota.get("concurrency")
    return TenantTerms(
        row.weight, row.quota.get("rps"), None if concurrency is None else int(concurrency)
    )
