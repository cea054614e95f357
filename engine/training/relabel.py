"""The labels of an upload under other names: those of the vPLM that is to learn them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.errors import BadInput
from engine.serving.work import TaskName
from store.dataset_files import Example, Target


def relabelled(
    rows: Iterable[Example], names: Mapping[str, str], task: TaskName
) -> Iterator[Example]:
    """The rows, with every label that is among `names` called what that says; several may become
    one. Raises BadInput, at the end, for a name that no row has: it is likely to be a mistake."""
    if task == "regression" and names:
        raise BadInput(
            "A regression's rows have numbers, which have no names to be mapped.",
            remedy="Leave --map out.",
            code="bad_map",
        )
    for old, new in names.items():
        if not new.strip():
            raise BadInput(
                f"The label {old!r} is to become one without a name.",
                remedy="Write OLD=NEW.",
                code="bad_map",
            )
    unseen = set(names)
    for text, target in rows:
        yield text, _renamed(target, names, unseen)
    if unseen:
        shown = ", ".join(sorted(unseen)[:5]) + (", ..." if len(unseen) > 5 else "")
        raise BadInput(
            f"No row has a label that --map names: {shown}.",
            remedy="Correct or leave out what maps it; nothing was stored.",
            code="bad_map",
        )


def _renamed(target: Target, names: Mapping[str, str], unseen: set[str]) -> Target:
    def name(label: str) -> str:
        unseen.discard(label)
        return names.get(label, label)

    if isinstance(target, str):
        return name(target)
    labels = [part for part in target if isinstance(part, str)]
    spans = [part for part in target if isinstance(part, tuple)]
    if spans:
        return tuple((start, end, name(label)) for start, end, label in spans)
    # Two of a row's labels may have become one.
    return tuple(dict.fromkeys(map(name, labels))) if labels else target
