"""Keys that the operator chose: the table [keys] of config.toml, action = "key"."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, Keys, key_to_character
from textual.screen import ModalScreen, Screen

from hmi_tui.config_file import Complaint, ConfigFile

TABLE = "keys"
_MODIFIERS = {"ctrl", "shift", "alt", "super", "meta", "hyper"}
_SHORTER = {long: short for short, long in REPLACED_KEYS.items()}
_KNOWN = {key.value for key in Keys}


class Named:
    """Gives every key of a screen or widget the name by which config.toml may change it.

    Comes first among the bases. The name is the action's, such as `delete` or `open-tenants`; a
    binding with an id has that.
    """

    BINDINGS: ClassVar[list[BindingType]]
    NAMED: ClassVar[list[type[Named]]] = []
    """All such classes that have keys of their own."""

    def __init_subclass__(cls, **options: Any) -> None:
        own = cls.__dict__.get("BINDINGS", ())
        if own:
            cls.BINDINGS = [named(one) if isinstance(one, Binding) else one for one in own]
            Named.NAMED.append(cls)
        super().__init_subclass__(**options)


def named(binding: Binding) -> Binding:
    """The binding with its name as id."""
    return binding if binding.id else replace(binding, id=name_of(binding.action))


def name_of(action: str) -> str:
    """`open-tenants` for `open('tenants')`."""
    return re.sub(r"\W+", "-", action).strip("-")


def known_names() -> set[str]:
    """Of all actions of the classes that are imported by now."""
    return {str(one.id) for kind in Named.NAMED for one in own_bindings(kind)}


@dataclass(frozen=True, slots=True)
class Place:
    """Keys that work at the same time: those of a window, or of a mode with what is in it."""

    title: str
    bindings: Sequence[Binding]

    def in_force(self, chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Key and name of every action."""
        for binding in self.bindings:
            for key in chosen.get(str(binding.id), binding.key).split(","):
                yield normal(key.strip()), str(binding.id)


def own_bindings(kind: type[object]) -> list[Binding]:
    """What a class adds to its bases."""
    return [one for one in kind.__dict__.get("BINDINGS", ()) if isinstance(one, Binding)]


def around() -> list[Binding]:
    """The keys of the application and of what is in modes: lists, above all."""
    kinds = (kind for kind in Named.NAMED if not issubclass(kind, Screen))
    return [binding for kind in kinds for binding in own_bindings(kind)]


def places(modes: Mapping[str, type[Screen[Any]]]) -> list[Place]:
    """Every window, and every mode with what is around."""
    windows = [kind for kind in Named.NAMED if issubclass(kind, ModalScreen)]
    return [
        *(Place(kind.__name__.lower(), own_bindings(kind)) for kind in windows),
        *(Place(mode, [*own_bindings(kind), *around()]) for mode, kind in modes.items()),
    ]


def chosen_keys(
    file: ConfigFile, places: Sequence[Place]
) -> tuple[dict[str, str], list[Complaint]]:
    """Keys by action's name, and what is wrong with the others; those are left as they were."""
    if file.broken:
        return {}, [file.broken]
    table = file.tables.get(TABLE, {})
    if not isinstance(table, dict):
        return {}, [Complaint(file.path, 0, '[keys] is a table: action = "key".')]
    names = {str(binding.id) for place in places for binding in place.bindings}
    chosen: dict[str, str] = {}
    wrong: list[Complaint] = []

    def complain(name: str, what: str, remedy: str) -> None:
        wrong.append(Complaint(file.path, file.line_of(TABLE, name), what, remedy))

    for name, value in table.items():
        keys = value if isinstance(value, list) else [value]
        if name not in names:
            complain(name, f"There is no action {name!r}.", _nearest(name, names))
        elif not all(isinstance(key, str) and is_key(key) for key in keys) or not keys:
            complain(name, f"{value!r} is not a key.", 'Write one such as "f5" or "ctrl+e".')
        elif any(len(key) == 1 and key.isupper() for key in keys):
            complain(name, f"{value!r} sorts lists, as all capitals do.", "Choose another key.")
        else:
            chosen[name] = ",".join(normal(key) for key in keys)
    for name, key, other, place in _clashes(chosen, places):
        complain(name, f"{key!r} is the key of {other} in {place}.", f"Give {other} another, too.")
        chosen.pop(name, None)
    return chosen, sorted(wrong, key=lambda complaint: complaint.line)


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=3)
    return f"Is {' or '.join(near)} meant?" if near else "The help (?) has the names."


def _clashes(chosen: Mapping[str, str], places: Sequence[Place]) -> list[tuple[str, str, str, str]]:
    """Name, key, the other action and where: a chosen key that another action has there."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for place in places:
        taken: dict[str, set[str]] = {}
        for key, name in place.in_force(chosen):
            taken.setdefault(key, set()).add(name)
        for key, names in taken.items():
            for name in sorted(names & chosen.keys()):
                for other in sorted(names - {name}):
                    found.setdefault(name, (name, key, other, place.title))
    return list(found.values())


def is_key(text: str) -> bool:
    """Whether a terminal could send this key, by the names that textual has for them."""
    *modifiers, key = text.split("+") if len(text) > 1 else [text]
    if not set(modifiers) <= _MODIFIERS or not key:
        return False
    return text in _KNOWN or key in _KNOWN or key_to_character(normal(key)) is not None


def normal(key: str) -> str:
    """The long name of a key, as textual has it: question_mark for ?."""
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)
