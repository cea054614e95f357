"""Device and host: what there is, what is used, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.schema import DeviceStatus, HostStatus
from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel, bar_line, muted


class MemoryPanel(Panel):
    TITLE = "Device and host"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        lines = [*_device(status.device, width), *_host(status.host, width)]
        if status.backbone is not None and width >= 44:
            model = status.backbone
            text = f"{model.name}: {model.layers} layers, {model.split} from tables, {model.dtype}"
            lines.append(muted(figures.shorten(text, width)))
        return lines


def _device(device: DeviceStatus, width: int) -> list[Content]:
    mark = Content.styled("● ", tones.GOOD if device.kind == "cuda" else tones.MUTED)
    lines = [Content.assemble(mark, (figures.shorten(device.name, width - 2), tones.STRONG))]
    if device.note:
        lines += [muted("  " + line.plain) for line in Content(device.note).wrap(width - 2)]
    if device.total_bytes:
        lines.append(_memory("memory", device.used_bytes, device.total_bytes, width))
    if device.utilisation is not None:
        lines.append(bar_line("in use", device.utilisation, _load(device), width, values=18))
    if device.slowed_by:
        slowed = f"  ! slowed by {', '.join(device.slowed_by)}"
        lines.append(Content.styled(figures.shorten(slowed, width), tones.WARN))
    if device.kind == "cuda" and device.age_s > 3:
        lines.append(Content.styled(f"  ! sampled {figures.age(device.age_s)} ago", tones.WARN))
    return lines


def _load(device: DeviceStatus) -> str:
    parts = [figures.share(device.utilisation)]
    if device.power_w is not None:
        parts.append(f"{device.power_w:.0f} W")
    if device.temperature_c is not None:
        parts.append(f"{device.temperature_c:.0f} °C")
    return " ".join(part.rjust(5) for part in parts)


def _host(host: HostStatus, width: int) -> list[Content]:
    lines = [
        _memory("host", host.used_bytes, host.total_bytes, width),
        bar_line(
            "cpu", host.cpu, f"{figures.share(host.cpu)} of {host.cores} cores", width, values=18
        ),
        _memory("engine", host.engine_bytes, host.total_bytes, width),
    ]
    for owner, held in sorted(host.by_owner.items(), key=lambda item: -item[1]):
        share_of = held / host.engine_bytes if host.engine_bytes else 0
        lines.append(bar_line(f" {owner}", share_of, figures.size(held), width, names=14))
    threads = f"{host.threads} compute thread{'' if host.threads == 1 else 's'}"
    free = f"{figures.size(host.disk_free_bytes)} free on disk, {threads}"
    lines.append(muted(figures.shorten(free, width)))
    return lines


def _memory(name: str, used: int | None, total: int, width: int) -> Content:
    share_of = (used or 0) / total if total else None
    return bar_line(name, share_of, figures.of_total(used, total), width, values=18)
