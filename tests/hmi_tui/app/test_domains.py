from __future__ import annotations

import time
from pathlib import Path

from textual.widgets import Select

from engine.client import Paths
from engine.schema import RebuildRequest
from hmi_tui.widgets.domain_rows import tree_rows
from hmi_tui.widgets.progress_line import ProgressLine
from tests.hmi_tui.app.engine_documents import domain, job
from tests.hmi_tui.app.screens import WIDE, fill, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


def test_the_tree_is_drawn_with_guides_and_folds() -> None:
    nodes = [
        domain("general", None, 0),
        domain("news", "general", 1),
        domain("sport", "news", 2),
        domain("reviews", "general", 1),
    ]
    drawn = [row.guide + row.domain.name for row in tree_rows(nodes, ())]
    assert drawn == ["general", "├─ news", "│  └─ sport", "└─ reviews"]
    folded = tree_rows(nodes, {"news"})
    assert [(row.domain.name, row.folded) for row in folded] == [
        ("general", 0),
        ("news", 1),
        ("reviews", 0),
    ]


def test_a_node_whose_parent_is_filtered_out_is_still_shown() -> None:
    rows = tree_rows([domain("sport", "news", 2)], ())
    assert [row.domain.name for row in rows] == ["sport"]


async def test_the_chosen_node_shows_its_figures_and_n_grams(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "Most used n-grams of general", "none, the root")
        await pilot.press("down", "down")
        await sees(pilot, "Most used n-grams of reviews", "of the film")
        await pilot.press("down")
        await sees(pilot, "No table yet.", "never built")


async def test_n_grams_are_filtered(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "of the film")
        await pilot.press("enter", "/", *"gorg")
        await until(pilot, lambda: "of the film" not in text_of(pilot))
        await sees(pilot, "a gorgeous ,")


async def test_nodes_fold_and_unfold(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "└─ films")
        await pilot.press("down", "down", "left")
        await sees(pilot, "reviews (+1)")
        await pilot.press("right")
        await sees(pilot, "└─ films")


async def test_a_domain_is_created_with_its_text(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path
) -> None:
    corpus = tmp_path / "mail.txt"
    corpus.write_text("one\ntwo\n")
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("n")
        await sees(pilot, "New domain")
        await fill(pilot, name="mail", corpus=str(corpus))
        await pilot.press("enter")
        await sees(pilot, "─ mail")
        assert engine.called("create_domain") == [("mail", "general")]
        assert engine.called("put_corpus") == [("mail", corpus)]


async def test_a_corpus_that_is_not_there_creates_nothing(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("n")
        await fill(pilot, name="mail", corpus="/nowhere.txt")
        await pilot.press("enter")
        await sees(pilot, "There is no file '/nowhere.txt'.")
        assert engine.called("create_domain") == []


async def test_text_is_uploaded(paths: Paths, engine: ScriptedEngine, tmp_path: Path) -> None:
    corpus = tmp_path / "more.txt"
    corpus.write_text("one\n")
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down", "u")
        await sees(pilot, "Upload text for news")
        await fill(pilot, corpus=str(corpus))
        await pilot.press("enter")
        await sees(pilot, "news has 3 lines", "tiny")


async def test_a_rebuild_shows_its_progress_and_its_end(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down", "r")
        await sees(pilot, "Rebuild news")
        await fill(pilot, budget_bytes="64M")
        await pilot.press("enter")
        await sees(pilot, "↻ rebuilding", "rebuild news", "43 %")
        wanted = RebuildRequest(budget_bytes=64 << 20, kind="classifier")
        assert engine.called("rebuild_domain") == [("news", wanted)]
        engine.end_job("r1", "succeeded")
        await sees(pilot, "Rebuild of news is done.")
        line = pilot.app.screen.query_one(ProgressLine)
        await until(pilot, lambda: not line.has_class("-on"))


async def test_the_tables_of_generators_are_shown_and_rebuilt_in_place_of_the_classifiers(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.generator_rows = [
        one.model_copy(update={"kind": "generator", "entries": 777 + n, "epoch": 9})
        for n, one in enumerate(engine.domain_rows)
    ]
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("g")
        await sees(pilot, "Domains, for generators", "777", "778")
        await pilot.press("down", "v")
        await sees(pilot, "Epochs of news")
        await pilot.press("escape", "r")
        await sees(pilot, "Rebuild news")
        await pilot.press("enter")
        await sees(pilot, "Rebuilding news for generators.")
        assert engine.called("rebuild_domain") == [("news", RebuildRequest(kind="generator"))]
        assert engine.called("epochs") == [("news", "generator")]
        assert ("news", "generator") in engine.called("ngrams")
        await pilot.press("g")
        await until(pilot, lambda: "777" not in text_of(pilot))


async def test_where_nothing_generates_there_are_no_tables_of_generators(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("g")
        await sees(pilot, "This engine has no generators' backbone.")


async def test_a_share_beyond_one_is_refused(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("r")
        await fill(pilot, alpha="7")
        await pilot.press("enter")
        await sees(pilot, "less than or equal to 1")
        assert engine.called("rebuild_domain") == []


async def test_a_domain_is_deleted_after_a_question_and_the_root_never(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("x")
        await sees(pilot, "general is the root of the tree and stays.")
        await pilot.press("down", "x")
        await sees(pilot, "Delete domain news?", "go to", "general.")
        await pilot.press("y")
        await until(pilot, lambda: engine.called("remove_domain") == [("news",)])
        await until(pilot, lambda: "├─ news" not in text_of(pilot))


async def test_what_a_rebuild_costs_is_said_before_it_begins(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down", "r")
        await sees(pilot, "It costs about 14 s and 20 MiB (52,100 entries")
        await fill(pilot, train_minutes="7")
        await sees(pilot, "14 s after 7 m 00 s of training")
        assert engine.called("rebuild_domain") == []


async def test_two_epochs_are_compared(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down", "v")
        await sees(pilot, "Epochs of news", "serves", "38,000 → 42,000  (+4,000)")
        await sees(pilot, "70.0 % → 75.0 %  (+5.0 %)")
        await pilot.press("end")
        await sees(pilot, "There is no epoch before this one")
        await pilot.press("home", "space", "end")
        await sees(pilot, "Mark another one")
        await pilot.press("space")
        await sees(pilot, "1 → 3", "34,000 → 42,000  (+8,000)")
        await pilot.press("escape", "down", "down", "v")
        await sees(pilot, "Epochs of films", "No epoch is known yet.")


async def test_a_node_tells_how_its_lookups_were_answered(
    paths: Paths, engine: ScriptedEngine
) -> None:
    counts = {"hits": 700, "misses": 300, "computed": 100, "cached": 150, "backed_off": 50}
    engine.domain_rows[1] = domain("news", "general", 1, published_at=time.time() - 7300, **counts)
    async with open_app(paths, engine, "domains").run_test(size=WIDE) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down")
        await sees(pilot, "70.0 % (700)", "25.0 % (250)", "15.0 % (150), of the", "5.0 % (50)")
        await sees(pilot, "2 h ago", "56,874")
        await pilot.press("d")
        await sees(pilot, "esc closes", "seen entries")


async def test_a_node_is_moved_and_learns_by_itself(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("down", "e")
        await sees(pilot, "Change domain news")
        parent, update = pilot.app.screen.query(Select)
        parent.value, update.value = "reviews", "miss_rate"
        await fill(pilot, miss_rate="0.4")
        await pilot.press("ctrl+s")
        await sees(pilot, "Changed domain news.")
        assert engine.called("change_domain") == [
            ("news", "reviews", "miss_rate", 0.4, 20_000, 3600.0)
        ]


async def test_the_root_has_no_place_to_move_to(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test() as pilot:
        await sees(pilot, "● ready")
        await pilot.press("e")
        await sees(pilot, "Change domain general")
        assert "Under" not in text_of(pilot)


async def test_a_rebuild_is_watched_in_the_trainer(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "domains").run_test(notifications=True) as pilot:
        await sees(pilot, "● ready")
        await pilot.press("w")
        await sees(pilot, "No rebuild is under way")
        engine.job_rows.append(job("r7", "news", "running", type="rebuild"))
        await sees(pilot, "rebuild news")
        await pilot.press("w")
        await until(pilot, lambda: pilot.app.current_mode == "trainer")
        await sees(pilot, "─ rebuild news ─")
