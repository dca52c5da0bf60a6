"""The ladder as data and as a pure choice: what faults ask for, what budgets leave, and what stays true whatever comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import ORDER, load_remedies
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.operate import causes, ladder
from railbed.validate.node import faults, xids

KNOWN = load_remedies()
CODES = sorted(KNOWN.remedies)


def test_every_fault_that_drains_and_every_code_of_the_hardware_has_a_row() -> None:
    assert {code for code in faults.FAULTS if faults.drains(code)} <= set(KNOWN.remedies)
    assert {f"xid-{number}" for number in xids.HARDWARE} <= set(KNOWN.remedies)
    assert not {f"xid-{number}" for number in xids.APPLICATION} & set(KNOWN.remedies), "a program's own fault"


@pytest.mark.parametrize(
    ("found", "rungs"),
    [
        ([], ("roles",)), (["gpu-row-pending"], ("reset", "reboot")), (["gpu-lost"], ("power-cycle",)),
        (["nic-mtu", "gpu-lost"], ("power-cycle",)), (["driver-library"], ("roles", "reboot")),
        (["driver-silent"], ("roles", "services", "reboot")), (["xid-999"], ("roles", "reboot")),
        (["driver-version", "gpu-row-pending"], ("reset", "reboot")),
    ],
)  # fmt: skip
def test_the_rungs_begin_where_lower_ones_do_not_help(found: list[str], rungs: tuple[str, ...]) -> None:
    assert ladder.climb(KNOWN, found, {}).rungs == rungs


@pytest.mark.parametrize("code", ["gpu-row-failed", "gpu-model", "xid-54"])
def test_what_a_part_has_to_be_replaced_for_asks_for_no_rung(code: str) -> None:
    climb = ladder.climb(KNOWN, [code, "gpu-row-pending"], {})
    assert climb.rungs == () and "has to be replaced" in climb.why and code in climb.why
    assert ladder.climb(KNOWN, [code], {}, start="reboot").rungs == ("reboot",), "a person's word goes before"


def test_a_rung_that_was_taken_as_often_as_it_may_is_passed_over_and_the_last_one_ends_it() -> None:
    assert ladder.climb(KNOWN, ["driver-hung"], {"reboot": 2}).rungs == ("power-cycle",)
    climb = ladder.climb(KNOWN, ["driver-hung"], {"reboot": 2, "power-cycle": 2})
    assert climb.rungs == () and "reboot 2 times, power-cycle 2 times" in climb.why


def test_a_node_without_a_bmc_boots_and_one_whose_nvlink_joins_others_is_not_reset() -> None:
    assert ladder.climb(KNOWN, ["gpu-lost"], {}, {"power-cycle"}).rungs == ("reboot",)
    assert ladder.climb(KNOWN, ["gpu-row-pending"], {}, {"reset"}).rungs == ("reboot",)
    assert ladder.climb(KNOWN, ["gpu-row-pending"], {}, {"reset", "power-cycle"}).rungs == ("reboot",)


def test_a_person_begins_where_that_person_says() -> None:
    assert ladder.climb(KNOWN, [], {}, start="reboot").rungs == ("reboot",)
    assert ladder.climb(KNOWN, ["driver-silent"], {}, start="reboot").rungs == ("reboot",)


@given(
    st.lists(st.sampled_from([*CODES, "xid-4242"]), max_size=4),
    st.dictionaries(st.sampled_from(ORDER), st.integers(0, 6)),
    st.sets(st.sampled_from(["reset", "power-cycle"])),
    st.none() | st.sampled_from(ORDER),
)
def test_whatever_comes_rungs_go_up_exist_and_keep_their_budget(
    found: list[str], taken: dict[str, int], without: set[str], start: str | None
) -> None:
    climb = ladder.climb(KNOWN, found, taken, without, start)  # type: ignore[arg-type]
    places = [ORDER.index(rung) for rung in climb.rungs]
    assert places == sorted(set(places)) and climb.why
    assert not set(climb.rungs) & without
    assert all(taken.get(rung, 0) < KNOWN.rungs[rung].per_node_week for rung in climb.rungs)


def test_budgets_are_of_the_week_and_the_hour_and_of_the_pool(contract: Contract, tmp_path: Path) -> None:
    journal, now = Journal(tmp_path / "journal.jsonl"), datetime.now(UTC)
    for name, rung in (("h100-1", "reboot"), ("h100-1", "reset"), ("h100-2", "reboot"), ("ctl0", "reboot")):
        journal.write(ladder.BEGUN, node=name, rung=rung)
    found = ladder.spent(contract, journal.index(), "h100-1", now)
    assert dict(found.node) == {"reboot": 1, "reset": 1}
    assert dict(found.pool) == {"reboot": 2, "reset": 1}
    assert "began 2 times" in ladder.crowded(KNOWN, "reboot", found.pool, 4)
    assert ladder.crowded(KNOWN, "reboot", found.pool, 128) == "", "5 % of 128 are 7"
    assert ladder.crowded(KNOWN, "reset", found.pool, 4) == ""
    later = ladder.spent(contract, journal.index(), "h100-1", now + timedelta(hours=2))
    assert (dict(later.node), dict(later.pool)) == ({"reboot": 1, "reset": 1}, {})
    assert dict(ladder.spent(contract, journal.index(), "h100-1", now + timedelta(days=8)).node) == {}


def line(message: str, *, uid: int = 0) -> str:
    return f'{{"MESSAGE": "{message}", "_TRANSPORT": "journal", "_UID": "{uid}"}}'


LOST = "NVRM: Xid (PCI:0000:0f:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
APP = "NVRM: Xid (PCI:0000:0f:00): 13, pid=7, name=python3, Graphics SM Warp Exception"
ASKED = "NVRM: Xid (PCI:0000:0f:00): 154, pid=7, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)"
OVER = "NVRM: Xid (PCI:0000:0f:00): 154, pid=7, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"


@pytest.mark.parametrize(
    ("health", "log", "found"),
    [
        ("", [], []),
        ("broken: gpu-lost (gpu 3): 7 of 8 GPUs listed; missing: gpu 3", [LOST], ["gpu-lost", "xid-79"]),
        ("reported: filesystem-silent (/scratch): no answer\nreported: unknown (gpus): slow", [], []),
        ("", [APP], []), ("", [LOST, ASKED], ["recovery-gpu-reset"]), ("", [LOST, ASKED, OVER], []),
        ("", ["NVRM: Xid (PCI:0000:0f:00): 999, something new"], ["xid-999"]),
        ("broken: made-up (x): y", [], []),
    ],
)  # fmt: skip
def test_causes_are_what_node_and_driver_say(health: str, log: list[str], found: list[str]) -> None:
    text = "\n".join([health, causes.MARK, *(line(one) for one in log)])
    assert causes.of(text) == found


def test_who_is_not_root_writes_no_cause() -> None:
    """`logger -t kernel` is anybody's: it must not have a node booted."""
    assert causes.of("\n".join([causes.MARK, line(LOST, uid=1000)])) == []
    assert causes.of("\n".join([causes.MARK, line(LOST, uid=0)])) == ["xid-79"]
