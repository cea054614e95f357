from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.tariff import Tariff, TariffFile, read_tariff


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_a_tenants_use_is_priced_by_the_tariff() -> None:
    tariff = Tariff(gib_month=2.0, thousand_requests=0.5, training_minute=0.1, currency="CHF")
    cost = tariff.cost(stored_bytes=3 << 29, requests=4_000, training_s=90)
    assert (cost.storage, cost.requests) == (3.0, 2.0)
    assert cost.training == pytest.approx(0.15)
    assert cost.total == pytest.approx(5.15)
    assert cost.currency == "CHF"


def test_without_a_file_or_a_tariff_in_it_nothing_has_a_price(config: Path) -> None:
    assert TariffFile(config).now() is None
    config.write_text("[keys]\nquit = 'x'\n")
    assert read_tariff(config) is None


def test_a_changed_file_holds_from_the_next_look_on(config: Path) -> None:
    file = TariffFile(config)
    config.write_text("[tariff]\ngib_month = 1\n")
    assert file.now() == Tariff(gib_month=1)
    config.write_text("[tariff]\ngib_month = 2\n")
    os.utime(config, (1, 1))
    assert file.now() == Tariff(gib_month=2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[tariff]\ngib_month = -1\n", "tariff.gib_month"),
        ("[tariff]\ngib_month = true\n", "tariff.gib_month"),
        ("[tariff]\ntraining_minute = inf\n", "tariff.training_minute"),
        ("[tariff]\nper_mile = 1\n", "tariff.per_mile"),
        ("[tariff]\ncurrency = 7\n", "tariff.currency"),
        ("tariff = 7\n", "is no table"),
        ("[tariff\n", "cannot be read"),
    ],
)
def test_a_tariff_that_makes_no_sense_is_no_tariff_and_says_why(
    config: Path, text: str, complaint: str
) -> None:
    config.write_text(text)
    with pytest.raises(BadInput, match=complaint) as refused:
        read_tariff(config)
    assert "thousand_requests" in refused.value.remedy
    file = TariffFile(config)
    fault = file.fault()
    assert file.now() is None
    assert fault is not None
    assert complaint in fault.detail
