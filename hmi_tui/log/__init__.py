"""The engine's log: its file's tail, read as it grows, and what its lines say."""
