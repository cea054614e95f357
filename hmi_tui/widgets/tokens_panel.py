"""The text as the engine read it: which tokens hit the table, and whose row each one got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from engine.schema import TokenOrigin
from hmi_tui import tones
from hmi_tui.widgets.panel import Panel, muted

NODE_SIGNS = "¹²³⁴⁵⁶⁷⁸⁹"
NODE_STYLES = (tones.ACCENT, tones.GOOD, tones.CURVE, tones.STRONG)
SHORTER, LATELY, COMPUTED = "⁻", "=", "~"
NOTHING_YET = "Which tokens hit the table is told once a text is answered in plot mode."


class TokensPanel(Panel):
    """A sign after each token says the node of its row, or that there was none; so do colours."""

    TITLE = "Tokens in the table"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tokens: tuple[TokenOrigin, ...] = ()
        self.told = NOTHING_YET

    def tell_tokens(self, tokens: Sequence[TokenOrigin], otherwise: str = NOTHING_YET) -> None:
        """Show these; without any, say `otherwise`."""
        self.tokens, self.told = tuple(tokens), otherwise
        self.refresh(layout=True)

    def lines(self, width: int) -> Sequence[Content]:
        if not self.tokens:
            return [muted(line.plain) for line in Content(self.told).wrap(width)]
        hits = Counter(t.node for t in self.tokens if t.node and t.source == "table")
        others = (t.node for t in self.tokens if t.node)
        nodes = list(dict.fromkeys([*(node for node, _ in hits.most_common()), *others]))
        words = [_word(token, nodes) for token in self.tokens]
        return [*_flow(words, width), *_flow(_legend(self.tokens, nodes), width)]


def _sign(node: str | None, nodes: Sequence[str]) -> str:
    if node is None:
        return ""
    place = nodes.index(node)
    return NODE_SIGNS[place] if place < len(NODE_SIGNS) else "ⁿ"


def _style(node: str | None, nodes: Sequence[str]) -> str:
    return tones.MUTED if node is None else NODE_STYLES[nodes.index(node) % len(NODE_STYLES)]


def _word(token: TokenOrigin, nodes: Sequence[str]) -> tuple[str, str]:
    sign = _sign(token.node, nodes)
    mark = {
        "table": sign,
        "backed_off": SHORTER + sign,
        "cached": LATELY,
        "computed": COMPUTED,
    }[token.source]
    style = tones.WARN if token.source == "backed_off" else _style(token.node, nodes)
    return _seen(token.text) + mark, style


def _seen(text: str) -> str:
    """A token as a word: a decoder's has its space in front, and line ends are tokens."""
    return text.strip(" ").replace("\n", "⏎") or "␣"


def _legend(tokens: Sequence[TokenOrigin], nodes: Sequence[str]) -> list[tuple[str, str]]:
    hits = Counter(token.node for token in tokens if token.source == "table")
    parts = [(f"{_sign(node, nodes)} {node} {hits[node]} ", _style(node, nodes)) for node in nodes]
    named = (
        ("backed_off", f"{SHORTER} shorter n-gram", tones.WARN),
        ("cached", f"{LATELY} computed lately", tones.MUTED),
        ("computed", f"{COMPUTED} computed", tones.MUTED),
    )
    for source, name, style in named:
        count = sum(token.source == source for token in tokens)
        if count:
            parts.append((f"{name} {count} ", style))
    return parts


def _flow(parts: Sequence[tuple[str, str]], width: int) -> list[Content]:
    """`parts` one after the other in lines of at most `width` cells."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0
    for text, style in parts:
        need = cell_len(text) + 1
        if used and used + need > width + 1:
            lines.append([])
            used = 0
        lines[-1].append((text + " ", style))
        used += need
    return [Content.assemble(*line) for line in lines]
