"""HPL of the netlib, of NVIDIA and inside hpcc's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.parse import hpl

DATA = Path(__file__).parent.parent / "data/parse/hpl"


def test_hpcc_has_a_system_its_digits_and_what_else_it_measured() -> None:
    found = hpl.plain((DATA / "hpcc-two-ranks.txt").read_text())
    (solved,) = found["solved"]
    assert (solved["n"], solved["nb"], solved["p"], solved["q"]) == (200, 80, 1, 2)
    assert solved["gflops"] == 0.3795 and solved["residual"] == 0.0102982 and solved["passed"] is True
    assert solved["solution"] == ["0.0102982", "3.2685e-13", "1401.08", "26.178"]
    (run,) = found["runs"]
    assert run["StarSTREAM_Triad"] == 55.6079 and run["MaxPingPongLatency_usec"] == 0.327685
    assert run["MinPingPongBandwidth_GBytes"] == 18.949 and found["unread"] == []


def test_nvidia_s_rows_and_digits() -> None:
    found = hpl.plain((DATA / "nvidia-gh200.txt").read_text())
    (solved,) = found["solved"]
    assert (solved["n"], solved["p"], solved["q"], solved["gflops"]) == (299008, 2, 4, 337000.0)
    assert solved["passed"] is True and solved["solution"][0] == "0.000550841189"
    assert "0.0000000064268288" in solved["solution"] and found["runs"] == [] and found["unread"] == []


def test_two_runs_in_one_text_stay_two() -> None:
    text = (DATA / "hpcc-two-ranks.txt").read_text()
    found = hpl.plain(text + text)
    assert len(found["solved"]) == len(found["runs"]) == 2
    assert found["solved"][0]["solution"] == found["solved"][1]["solution"]


def test_a_failed_residual_and_a_missing_one() -> None:
    assert [one["passed"] for one in hpl.plain((DATA / "hpcc-failed.txt").read_text())["solved"]] == [False]
    (cut,) = hpl.plain((DATA / "truncated.txt").read_text())["solved"]
    assert cut["passed"] is None and cut["residual"] is None


@pytest.mark.parametrize("digits", ["nan", "inf", "-inf", "1e999", "sixteen"])
def test_a_residual_that_is_no_number_did_not_pass(digits: str) -> None:
    text = (DATA / "nvidia-gh200.txt").read_text().replace("0.000550841189", digits)
    assert hpl.plain(text)["solved"][0]["passed"] is False


def test_hostile_text_gives_no_rate() -> None:
    found = hpl.plain((DATA / "hostile.txt").read_text(errors="replace"))
    assert all(one["passed"] is not True for one in found["solved"])
