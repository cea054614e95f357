"""Device and host: what there is, what is used, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from engine.schema import DeviceStatus, HostStatus, LoadedBackbone
from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel, bar_line, muted

REST = "code, activations"
"""What the engine holds beyond what it knows the owner of."""
SHOWN = 5
"""Owners on a short screen."""


class MemoryPanel(Panel):
    TITLE = "Device and host"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        short = self.short
        lines = [*_device(status.device, width, short), *_host(status.host, width, short)]
        if status.backbone is not None and width >= 44:
            model = status.backbone
            text = f"{model.name}: {model.layers} layers, {model.split} from tables, {model.dtype}"
            told = Content(figures.shorten(text, width) if short else text)
            lines += [muted(line.plain.rstrip()) for line in told.wrap(width)]
            lines += [_beside(other, width) for other in status.backbones if not other.own]
        return lines


def _beside(other: LoadedBackbone, width: int) -> Content:
    """A backbone that is loaded for the vPLMs that have it."""
    vplms = f"{other.vplms} vPLM{'' if other.vplms == 1 else 's'}"
    how = "" if other.fallback is None else ", exact mode"
    return muted(
        figures.shorten(f"beside it {other.id}: {vplms}{how}, {other.waiting} wait", width)
    )


def _device(device: DeviceStatus, width: int, short: bool) -> list[Content]:
    mark = Content.styled("● ", tones.GOOD if device.kind == "cuda" else tones.MUTED)
    name = figures.shorten(device.name, width - 2)
    lines = [Content.assemble(mark, (name, tones.STRONG))]
    if device.note and short and device.kind == "cpu":
        note = figures.shorten(f" · {device.note}", width - 2 - len(name))
        lines = [Content.assemble(mark, (name, tones.STRONG), (note, tones.MUTED))]
    elif device.note:
        note = figures.shorten(device.note, width - 2) if short else device.note
        lines += [muted("  " + line.plain) for line in Content(note).wrap(width - 2)]
    if device.total_bytes:
        lines.append(_memory("memory", device.used_bytes, device.total_bytes, width))
    if device.utilisation is not None:
        lines.append(bar_line("in use", device.utilisation, _load(device), width, values=18))
    if device.sm_mhz is not None:
        lines.append(_clocks(device, width))
    lines += _owners(device.by_owner, device.used_bytes, width, short)
    if device.slowed_by:
        slowed = f"  ! slowed by {', '.join(device.slowed_by)}"
        lines.append(Content.styled(figures.shorten(slowed, width), tones.WARN))
    if device.kind == "cuda" and device.age_s > 3:
        lines.append(Content.styled(f"  ! sampled {figures.age(device.age_s)} ago", tones.WARN))
    return lines


def _load(device: DeviceStatus) -> str:
    parts = [figures.share(device.utilisation)]
    if device.power_w is not None:
        limit = device.power_limit_w
        parts.append(f"{device.power_w:.0f}{'' if limit is None else f'/{limit:.0f}'} W")
    if device.temperature_c is not None:
        parts.append(f"{device.temperature_c:.0f} °C")
    return " ".join(part.rjust(5) for part in parts)


def _clocks(device: DeviceStatus, width: int) -> Content:
    def one(now: int | None, most: int | None) -> str:
        return f"{now}" if most is None else f"{now} of {most}"

    share_of = device.sm_mhz / device.sm_max_mhz if device.sm_mhz and device.sm_max_mhz else None
    value = f"{one(device.sm_mhz, device.sm_max_mhz)} MHz"
    if device.memory_mhz is not None and width >= 60:
        value += f", memory {one(device.memory_mhz, device.memory_max_mhz)} MHz"
    return bar_line("clocks", share_of, value, width, values=max(18, len(value)))


def _owners(
    by_owner: Mapping[str, int], total: int | None, width: int, short: bool
) -> list[Content]:
    """A line an owner, the greatest first, its bar a share of `total`."""
    ranked = sorted(by_owner.items(), key=lambda item: -item[1])
    if short and len(ranked) > SHOWN:
        rest = ranked[SHOWN - 1 :]
        ranked = [*ranked[: SHOWN - 1], (f"{len(rest)} more", sum(held for _, held in rest))]
    names = 18 if width >= 44 else 16
    return [
        bar_line(f" {owner}", held / total if total else 0, figures.size(held), width, names=names)
        for owner, held in ranked
    ]


def _host(host: HostStatus, width: int, short: bool) -> list[Content]:
    lines = [
        _memory("host", host.used_bytes, host.total_bytes, width),
        bar_line(
            "cpu", host.cpu, f"{figures.share(host.cpu)} of {host.cores} cores", width, values=18
        ),
        _memory("engine", host.engine_bytes, host.total_bytes, width),
    ]
    # Activations on a CPU come and go inside the heap, with the code and the mapped tables.
    rest = host.engine_bytes - sum(host.by_owner.values())
    named = host.by_owner | ({"code, activ." if width < 44 else REST: rest} if rest > 0 else {})
    lines += _owners(named, host.engine_bytes, width, short)
    others = max(0, host.used_bytes - host.engine_bytes)
    lines.append(_memory("others", others, host.total_bytes, width))
    if short:
        return lines
    threads = f"{host.threads} compute thread{'' if host.threads == 1 else 's'}"
    free = f"{figures.size(host.disk_free_bytes)} free on disk, {threads}"
    lines.append(muted(figures.shorten(free, width)))
    return lines


def _memory(name: str, used: int | None, total: int, width: int) -> Content:
    share_of = (used or 0) / total if total else None
    return bar_line(name, share_of, figures.of_total(used, total), width, values=18)
