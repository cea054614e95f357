"""The open-loop load simulator: `python -m engine.load`, a process of its own beside the engine."""
