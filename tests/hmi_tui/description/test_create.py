from __future__ import annotations

from pathlib import Path

import pytest

from engine.client import BadInput
from engine.schema import Quota
from hmi_tui.description.difference import difference
from hmi_tui.description.document import read_description
from tests.hmi_tui.description.remembering import Remembering

WHOLE = """
[tenants.acme]
weight = 2
quota = { vplms = 300, rps = 50 }

[tenants.globex]

[domains.films]
parent = "reviews"

[domains.reviews]
corpus = ["a.txt", "b.txt"]
rebuild = { alpha = 0.25 }

[vplms."acme/polarity"]
labels = ["negative", "positive"]
domain = "reviews"
pin = true

[vplms."globex/desk"]
labels = ["x", "y"]
count = 3
"""


@pytest.fixture
def engine() -> Remembering:
    return Remembering()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("a good film\n")
    (tmp_path / "b.txt").write_text("a bad film")
    return tmp_path


def described(folder: Path, text: str) -> Path:
    path = folder / "tenants.toml"
    path.write_text(text)
    return path


def signs(engine: Remembering, folder: Path, text: str) -> list[str]:
    """The difference, a line each; nothing is applied."""
    before = list(engine.calls)
    steps = difference(engine.client, read_description(described(folder, text)))
    assert engine.calls == before
    return [str(step) for step in steps]


def apply(engine: Remembering, folder: Path, text: str) -> list[str]:
    """What the engine was asked to do."""
    begun = len(engine.calls)
    for step in difference(engine.client, read_description(described(folder, text))):
        step.apply(engine.client)
    return engine.calls[begun:]


def test_what_is_missing_is_shown_then_made_in_an_order_that_works(
    engine: Remembering, folder: Path
) -> None:
    assert signs(engine, folder, WHOLE) == [
        "+ tenant acme  weight 2, vplms 300, rps 50",
        "+ tenant globex",
        "+ domain reviews  below general, text a.txt, b.txt (22 B), its table is built",
        "+ domain films  below reviews",
        "+ vplm acme/polarity  negative, positive; in reviews",
        "+ vplm globex/desk-00001 to 00003  x, y",
    ]
    assert apply(engine, folder, WHOLE) == [
        "create_tenant acme",
        "create_tenant globex",
        "create_domain reviews",
        "put_corpus reviews",
        "rebuild_domain reviews",
        "create_domain films",
        "create_vplm acme/polarity",
        "change_vplm acme/polarity",
        "create_vplms globex/desk-00001 3",
    ]
    assert engine.known_tenants["acme"].quota == Quota(vplms=300, rps=50)
    assert engine.rebuilds["reviews"].alpha == 0.25
    assert engine.known_vplms["acme/polarity"].pinned


def test_applied_again_it_changes_nothing(engine: Remembering, folder: Path) -> None:
    apply(engine, folder, WHOLE)
    assert apply(engine, folder, WHOLE) == []
    assert signs(engine, folder, WHOLE) == [
        "= tenant acme",
        "= tenant globex",
        "= domain reviews",
        "= domain films",
        "= vplm acme/polarity",
        "= vplm globex/desk-00001 and 2 more",
    ]


def test_what_differs_is_changed_and_the_rest_left_alone(engine: Remembering, folder: Path) -> None:
    apply(engine, folder, WHOLE)
    changed = """
    [tenants.acme]
    weight = 3
    quota = { vplms = 400 }

    [vplms."acme/polarity"]
    mode = "exact"
    pin = false
    """
    assert signs(engine, folder, changed) == [
        "~ tenant acme  weight 2 -> 3, rps 50.0 -> no limit, vplms 300 -> 400",
        "~ vplm acme/polarity  mode plot -> exact, unpinned",
    ]
    assert apply(engine, folder, changed) == ["change_tenant acme", "change_vplm acme/polarity"]
    assert engine.known_vplms["acme/polarity"].domain == "reviews"
    assert set(engine.known_tenants) == {"acme", "globex"}


def test_more_of_them_are_made_from_where_they_end(engine: Remembering, folder: Path) -> None:
    apply(engine, folder, WHOLE)
    del engine.known_vplms["globex/desk-00002"]
    more = WHOLE.replace("count = 3", "count = 6")
    assert apply(engine, folder, more) == [
        "create_vplms globex/desk-00002 1",
        "create_vplms globex/desk-00004 3",
    ]


def test_another_text_is_uploaded_and_its_table_built(engine: Remembering, folder: Path) -> None:
    apply(engine, folder, WHOLE)
    # As many bytes as before.
    (folder / "b.txt").write_text("a new film")
    assert "~ domain reviews  another text a.txt, b.txt (22 B), its table is built" in signs(
        engine, folder, WHOLE
    )
    assert apply(engine, folder, WHOLE) == ["put_corpus reviews", "rebuild_domain reviews"]


def test_a_table_for_generators_is_built_whatever_classifiers_have_and_once(
    engine: Remembering, folder: Path
) -> None:
    text = '[domains.reviews]\ncorpus = "a.txt"\n'
    assert apply(engine, folder, text)[-1] == "rebuild_domain reviews"
    text += 'rebuild = { kind = "generator" }\n'
    assert apply(engine, folder, text) == ["rebuild_domain reviews"]
    assert engine.rebuilds["reviews"].kind == "generator"
    assert apply(engine, folder, text) == []


def test_a_table_is_built_only_if_it_is_wanted(engine: Remembering, folder: Path) -> None:
    text = '[domains.reviews]\ncorpus = "a.txt"\nrebuild = false\n'
    assert apply(engine, folder, text) == ["create_domain reviews", "put_corpus reviews"]
    assert apply(engine, folder, text) == []
    # It has its text already, but no table of it.
    assert apply(engine, folder, text.replace("false", "true")) == ["rebuild_domain reviews"]


def test_a_domain_is_moved(engine: Remembering, folder: Path) -> None:
    apply(engine, folder, WHOLE)
    assert apply(engine, folder, '[domains.films]\nparent = "general"\n') == ["change_domain films"]


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ("[tenants.acme]\nweight = 0\n", "tenants.acme.weight", "greater than 0"),
        ("[tenants.acme]\ncolour = 1\n", "tenants.acme.colour", "no such field"),
        ("[tenants.acme]\nquota = { rps = -1 }\n", "tenants.acme.quota.rps", "greater than 0"),
        ("[tenants.ACME]\n", "tenants.ACME", "not a valid name"),
        ("[tennants.acme]\n", "tennants", "no such field"),
        ('path = "/"\n', "path", "no such field"),
        ('[domains.x]\nparent = "nowhere"\n', "domains.x.parent", 'no domain "nowhere"'),
        ('[domains.x]\ncorpus = "nothing.txt"\n', "domains.x.corpus", "no file"),
        (
            '[domains.x]\nparent = "y"\n[domains.y]\nparent = "x"\n',
            "domains.x.parent",
            'below "x" itself',
        ),
        ('[vplms."nobody/x"]\nlabels = ["a", "b"]\n', 'vplms."nobody/x"', 'no tenant "nobody"'),
        (
            '[tenants.acme]\n[vplms."acme/x"]\nlabels = ["a", "a"]\n',
            'vplms."acme/x".labels',
            "given twice",
        ),
        ('[tenants.acme]\n[vplms."acme/x"]\n', 'vplms."acme/x"', "labels are needed"),
        (
            '[tenants.acme]\n[vplms."acme/x"]\nlabels = ["a", "b"]\ndomain = "nowhere"\n',
            'vplms."acme/x".domain',
            'no domain "nowhere"',
        ),
        ("[tenants\n", "TOML", "line 1"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(
    engine: Remembering, folder: Path, text: str, key: str, told: str
) -> None:
    with pytest.raises(BadInput) as error:
        signs(engine, folder, text)
    assert str(folder / "tenants.toml") in error.value.detail
    assert key in error.value.detail
    assert told in error.value.detail
    assert error.value.remedy
    assert engine.calls == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('"negative", "positive"', '"no", "yes"'), "labels"),
        (("pin = true", "rank = 8"), "rank"),
        (("pin = true", 'places = ["attention"]'), "places"),
        (("pin = true", 'backbone = "small:2"'), "backbone"),
    ],
)
def test_what_can_never_become_so_is_refused_before_anything_is_done(
    engine: Remembering, folder: Path, change: tuple[str, str], key: str
) -> None:
    apply(engine, folder, WHOLE)
    with pytest.raises(BadInput, match=rf'vplms\."acme/polarity"\.{key}') as error:
        apply(engine, folder, WHOLE.replace(*change))
    assert "hmi vplm rm acme/polarity" in error.value.remedy


def test_a_vplm_rests_on_what_the_file_says_and_both_places_are_the_usual(
    engine: Remembering, folder: Path
) -> None:
    text = (
        '[tenants.acme]\n[vplms."acme/a"]\nlabels = ["a", "b"]\nbackbone = "small"\n'
        'places = ["feed_forward", "attention"]\n'
    )
    assert signs(engine, folder, text)[1] == "+ vplm acme/a  a, b; on small"
    apply(engine, folder, text)
    assert engine.known_vplms["acme/a"].backbone == "small:1"
    # Applied again nothing changes, for whichever version that was is not said.
    assert signs(engine, folder, text)[1] == "= vplm acme/a"


def test_a_vplm_may_start_from_another(engine: Remembering, folder: Path) -> None:
    text = '[tenants.acme]\n[vplms."acme/b"]\nfrom = "acme/a:2"\n'
    assert signs(engine, folder, text)[1] == "+ vplm acme/b  from acme/a:2"
