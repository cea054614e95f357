"""Runs of the load simulator: the process that makes them, what is kept, and how two compare."""
