"""An answer in one mode: probabilities as bars, spans, numbers, a vector, or a text that grows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from hmi_tui import tones
from hmi_tui.asking import Reply
from hmi_tui.continuing import Continued
from hmi_tui.widgets.answer_lines import answer_lines, continued_lines
from hmi_tui.widgets.panel import Panel, muted


class AnswerPanel(Panel):
    """`answer` is a response, a text so far, an error in words, or None while nothing was asked."""

    answer: reactive[Reply | Continued | str | None] = reactive(None, layout=True)

    def lines(self, width: int) -> Sequence[Content]:
        answer = self.answer
        if answer is None:
            return [muted("Nothing was asked yet.")]
        if isinstance(answer, str):
            style = tones.BAD if answer.startswith("✗") else tones.MUTED
            return [Content.styled(line.plain, style) for line in Content(answer).wrap(width)]
        if isinstance(answer, Continued):
            return continued_lines(answer, width)
        return answer_lines(answer, width)
