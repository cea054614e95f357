from __future__ import annotations

from engine.client import Paths
from engine.schema import TextPair
from hmi_tui.screens.playground import PlaygroundScreen
from tests.hmi_tui.app.screens import NARROW, WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


async def test_a_text_is_answered_in_both_modes_with_the_detail(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test(size=NARROW) as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press(*"witty", "enter")
        await sees(pilot, "› positive", "97.3 %", "2.7 %", "8.1 ms", "71 %", "host", "3 of 2")  # noqa: RUF001
        assert engine.called("classify") == [
            ("acme/polarity", "witty", "plot"),
            ("acme/polarity", "witty", "exact"),
        ]


async def test_a_wide_screen_explains_each_figure(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press(*"witty", "enter")
        await sees(pilot, "waiting for its batch", "rrr", "ccc")


async def test_an_answer_in_exact_mode_for_want_of_a_table_says_why(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.fallback = "The table of reviews is damaged."
    async with open_app(paths, engine, "playground").run_test(size=NARROW) as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press(*"witty", "enter")
        await sees(pilot, "Exact instead of plot: The table of reviews is damaged.")


async def test_another_vplm_is_chosen_by_a_part_of_its_name(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press("ctrl+o", *"globex")
        await sees(pilot, "globex/spam")
        await pilot.press("down", "enter")
        await sees(pilot, "Ask globex/spam")


async def test_an_empty_text_is_refused_in_words(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press("enter")
        await sees(pilot, "✗ input[0] is empty")


async def test_a_text_that_was_cut_is_said_to_be(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        assert isinstance(pilot.app.screen, PlaygroundScreen)
        pilot.app.screen.box.text = "long " * 300
        await pilot.press("enter")
        await sees(pilot, "Too long: only its")


async def test_a_vplm_that_was_deleted_meanwhile_is_reported(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        engine.vplm_rows = engine.vplm_rows[1:]
        await pilot.press(*"hi", "enter")
        await sees(pilot, "✗ There is no vPLM", "hmi vplm ls lists")


async def test_letters_are_text_until_esc_and_keys_after_it(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press("q", "2", "ctrl+j", "?")
        assert isinstance(pilot.app.screen, PlaygroundScreen)
        assert pilot.app.screen.box.text == "q2\n?"
        await pilot.press("escape", "2")
        await until(pilot, lambda: "Tenants ─" in text_of(pilot))


async def test_tokens_are_marked_with_the_node_that_had_their_row(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/polarity", "Which tokens hit the table is told once")
        await pilot.press(*"witty", "enter")
        await sees(pilot, "a² witty¹ film¹ about⁻² mem= ##es~")
        await sees(pilot, "¹ reviews 2", "² general 1", "⁻ shorter n-gram 1")
        await sees(pilot, "= computed lately 1", "~ computed 1", "How it was computed")


async def test_on_a_narrow_screen_the_tokens_take_the_place_of_the_timing(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "playground").run_test(size=NARROW) as pilot:
        await sees(pilot, "Ask acme/polarity", "How it was computed")
        await pilot.press(*"witty", "enter", "ctrl+t")
        await sees(pilot, "witty¹", "~ computed 1")
        await pilot.press("ctrl+t")
        await sees(pilot, "How it was computed")
        assert "witty¹" not in text_of(pilot)


async def test_without_tables_the_tokens_say_why(paths: Paths, engine: ScriptedEngine) -> None:
    engine.fallback = "The table of reviews is damaged."
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press(*"witty", "enter")
        await sees(pilot, "│ The table of reviews is damaged.")


async def test_a_vplm_is_chosen_by_scattered_letters(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press("ctrl+o", *"gbsm")
        await sees(pilot, "globex/spam")
        await pilot.press("enter")
        await sees(pilot, "Ask globex/spam")


async def test_a_vplm_for_pairs_is_asked_with_two_lines(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.vplm_rows = [
        row.model_copy(update={"task": "pair"}) if row.id == "acme/polarity" else row
        for row in engine.vplm_rows
    ]
    async with open_app(paths, engine, "playground").run_test() as pilot:
        await sees(pilot, "Ask acme/polarity · pair", "two lines are two texts")
        await pilot.press(*"one", "enter")
        await sees(pilot, "✗ acme/polarity reads two texts.")
        await pilot.press("ctrl+j", *"two", "enter")
        await sees(pilot, "97.3 %")
        pair = TextPair(text="one", text_pair="two")
        assert engine.called("classify") == [
            ("acme/polarity", pair, "plot"),
            ("acme/polarity", pair, "exact"),
        ]


def with_generator(engine: ScriptedEngine) -> None:
    first = engine.vplm_rows[0]
    tale = {"id": "acme/tale", "name": "tale", "task": "generate", "kind": "generator"}
    engine.vplm_rows = [first.model_copy(update={**tale, "labels": []}), *engine.vplm_rows[1:]]


async def test_a_generators_text_comes_in_both_modes_with_what_it_took(
    paths: Paths, engine: ScriptedEngine
) -> None:
    with_generator(engine)
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/tale · generate")
        await pilot.press(*"Once", "enter")
        await sees(pilot, "there lived a king.", "it ended by itself", "3 tokens in 120 ms", "50 %")
        await sees(pilot, "5 of 4", "host", "first token", "8.0 ms", "each further", "56 ms")
        [(own,), (other,)] = engine.called("complete_stream")
        assert [own.prompt, own.mode, other.mode] == ["Once", "plot", "exact"]
        assert own.seed == other.seed is not None
        # The tokens are marked with where their rows came from, in plot mode alone.
        assert (own.explain, other.explain) == (True, False)
        await sees(pilot, "witty¹", "film¹", "a²", "about⁻²", "mem=", "##es~", "¹ reviews 2")


async def test_a_text_shows_while_it_grows_and_another_question_ends_it(
    paths: Paths, engine: ScriptedEngine
) -> None:
    with_generator(engine)
    engine.hold_text = True
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/tale")
        await pilot.press(*"Once", "enter")
        await sees(pilot, "there▌")
        assert engine.texts_ended == 0
        engine.hold_text = False
        engine.fallback = "There is no n-gram encoder."
        await pilot.press("enter")
        await sees(pilot, "a king.", "Exact instead of plot: There is no n-gram encoder.")
        # Below either text, with how it was computed, and in place of the tokens: none is left.
        assert text_of(pilot).count("There is no n-gram encoder.") == 4
        assert "witty" not in text_of(pilot)
        assert engine.texts_ended == 3


async def test_a_generator_that_refuses_says_why_in_both_places(
    paths: Paths, engine: ScriptedEngine
) -> None:
    with_generator(engine)
    async with open_app(paths, engine, "playground").run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/tale")
        await pilot.press("enter")
        await sees(pilot, "✗")
        assert engine.called("complete_stream") == []
