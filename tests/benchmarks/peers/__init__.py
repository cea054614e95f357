"""The model path against other ways of serving many tenants, each in its own environment."""
