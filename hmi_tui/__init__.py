"""The command `hmi` and the Textual application; it knows the engine only through its client."""
