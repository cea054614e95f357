"""Keys in texts: `<new:n>` is the action `new`, whose usual key is n, by the key in force.

Texts that advise a key are written so; whatever shows them goes through `hint`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from textual.dom import DOMNode
from textual.keys import key_to_character

from hmi_tui.keys import known_names

MARK = re.compile(r"<([a-z][\w-]*):([^<>\s]+)>")
_SHORT = {"escape": "esc", "question_mark": "?", "slash": "/", "plus": "+", "minus": "-"}


def hint(node: DOMNode, text: str) -> str:
    """`text` with the keys that work in the application of `node`."""
    return with_keys(text, getattr(node.app, "chosen_keys", {}))


def with_keys(text: str, chosen: Mapping[str, str]) -> str:
    """`text` with a key for each mark; what names no action of ours is no mark, but a text."""
    if "<" not in text:
        return text
    names = known_names()

    def key(found: re.Match[str]) -> str:
        name, usual = found[1], found[2]
        if name not in names:
            return found[0]
        return shown(chosen[name].split(",")[0]) if name in chosen else usual

    return MARK.sub(key, text)


def shown(key: str) -> str:
    """A key's name as texts have it: esc, ?, ctrl+s, f5."""
    if key in _SHORT:
        return _SHORT[key]
    character = key_to_character(key)
    return character if character and len(character) == 1 and character.strip() else key
