"""Killing an engine again and again, and holding it to what it has acknowledged."""
