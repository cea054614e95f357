"""The engine's trace as people look at it: lanes, a summary in words, a picture."""
