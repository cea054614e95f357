"""Three themes: dark, light, and one without colour for terminals and eyes that want none."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="hmi-dark",
    primary="#6fb7b7",
    secondary="#8aa0b4",
    accent="#6fb7b7",
    success="#8cc48f",
    warning="#e0b76c",
    error="#e58080",
    foreground="#d4dce4",
    background="#11151a",
    surface="#161b21",
    panel="#212932",
    dark=True,
    variables={
        "footer-key-foreground": "#6fb7b7",
        "footer-background": "#161b21",
        "muted": "#8795a3",
        "frame": "#36414d",
        "cursor": "#1f474a",
        "curve": "#3d7073",
    },
)

LIGHT = Theme(
    name="hmi-light",
    primary="#17666e",
    secondary="#51626f",
    accent="#17666e",
    success="#2f6f3a",
    warning="#8a5a00",
    error="#a32626",
    foreground="#20272d",
    background="#f6f6f2",
    surface="#fdfdfb",
    panel="#e3e6e3",
    dark=False,
    variables={
        "footer-key-foreground": "#17666e",
        "footer-background": "#fdfdfb",
        "muted": "#66717b",
        "frame": "#c4cac8",
        "cursor": "#cfe6e4",
        "curve": "#8fbcbc",
    },
)

MONO = Theme(
    name="hmi-mono",
    primary="#e8e8e8",
    secondary="#b0b0b0",
    accent="#e8e8e8",
    success="#e0e0e0",
    warning="#e0e0e0",
    error="#ffffff",
    foreground="#dcdcdc",
    background="#000000",
    surface="#0c0c0c",
    panel="#2a2a2a",
    dark=True,
    variables={
        "footer-key-foreground": "#ffffff",
        "footer-background": "#0c0c0c",
        "muted": "#9a9a9a",
        "frame": "#505050",
        "cursor": "#484848",
        "curve": "#808080",
    },
)

THEMES = {"dark": DARK, "light": LIGHT, "mono": MONO}
