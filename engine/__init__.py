"""The serving engine: shared backbone, domain tables, adapter tiers, and the API in front."""

__version__ = "0.1.0"
