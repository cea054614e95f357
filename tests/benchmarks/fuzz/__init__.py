"""Calls that nobody in good faith makes, and an engine that has to bear them."""
