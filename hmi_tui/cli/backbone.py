"""`hmi backbone`: pretrained models that vPLMs rest on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag, say
from hmi_tui.cli.output import instant, listing, readable, record, show, table
from hmi_tui.cli.pretrain import pretrain
from hmi_tui.figures import NOTHING, size

if TYPE_CHECKING:
    from engine.schema import Backbone, BackboneState


STATES: dict[BackboneState, str] = {
    "own": "own",
    "loaded": "loaded",
    "loading": "loading",
    "unloaded": NOTHING,
}


@click.group(cls=Branch)
def backbone() -> None:
    """Backbones: the pretrained models that vPLMs share.

    A vPLM picks one when it is created (hmi vplm create --backbone), or has the engine's own, which
    hmi serve --backbone NAME[:VERSION] or DIR chooses. Others are loaded beside that when a vPLM of
    theirs is asked.
    """


backbone.add_command(pretrain)


@backbone.command()
@readable
def ls() -> None:
    """List backbones, the engine's own first, and what each takes in memory."""
    with connect() as client:
        found = client.backbones()
    show(listing(found), [one.id for one in found], lambda: _table(found))


@backbone.command("show")
@click.argument("id", metavar="NAME[:VERSION]")
@readable
def show_one(id: str) -> None:
    """Show one backbone."""
    with connect() as client:
        found = client.backbone(id)
    show(found, [found.id], lambda: record(_pairs(found)))


@backbone.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@flag("--name", help="What to call it; left out, as the folder is called.")
@flag(
    "--split",
    type=click.IntRange(1),
    help="How many of its layers are to come from tables; left out, half of them.",
)
@readable
def import_one(folder: Path, name: str | None, split: int | None) -> None:
    """Copy a checkpoint's folder into the store.

    Of it come config.json, model.safetensors and the tokenizer's files.
    """
    with connect() as client:
        made = client.import_backbone(folder.absolute(), name, split)
    show(made, [made.id], lambda: made.id)
    say(
        f"hmi vplm create TENANT/NAME --backbone {made.id} makes a vPLM of it; "
        f"hmi serve --backbone {made.id} --split {made.split} makes it the engine's own."
    )


@backbone.command()
@click.argument("ids", metavar="NAME[:VERSION]...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Remove imported backbones that nothing uses; one in memory is let go of."""
    with connect() as client:
        for one in ids:
            client.remove_backbone(one)
            click.echo(one)


def _table(backbones: Sequence[Backbone]) -> str:
    heads = (
        "BACKBONE",
        "STATE",
        "FAMILY",
        ">LAYERS",
        ">SPLIT",
        ">HIDDEN",
        ">BYTES",
        ">MEMORY",
        ">VPLMS",
        "SHA256",
    )
    return table(
        heads,
        (
            (
                one.id,
                STATES[one.state],
                one.family,
                str(one.layers),
                str(one.split),
                str(one.hidden),
                size(one.bytes),
                size(one.memory_bytes) if one.memory_bytes else NOTHING,
                str(one.vplms),
                one.sha256[:12],
            )
            for one in backbones
        ),
    )


def _state(one: Backbone) -> str:
    if one.state == "unloaded":
        return "on disk; loaded when a vPLM of it is asked"
    if one.state == "loading":
        return "being loaded"
    what = "the engine's own" if one.state == "own" else "beside the engine's own"
    return f"loaded, {what}, {size(one.memory_bytes)} of memory"


def _pairs(one: Backbone) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("origin", one.origin),
        ("family", one.family),
        ("state", _state(one)),
        ("layers", f"{one.layers}, {one.split} of them from tables"),
        ("hidden", str(one.hidden)),
        ("bytes", size(one.bytes)),
        ("sha256", one.sha256),
        ("vPLMs", str(one.vplms)),
        ("domains", ", ".join(one.domains) or NOTHING),
        ("folder", one.folder),
        ("imported", instant(one.imported_at)),
    ]
