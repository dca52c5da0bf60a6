"""LNet's interfaces and counters, and what they prove of the way that bytes took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.judge import lnet
from railbed.parse import lnetctl

DATA = Path(__file__).parent.parent / "data" / "parse" / "lnetctl"
MIB = 1024 * 1024


def parsed(name: str) -> dict[str, Any]:
    return lnetctl.plain((DATA / name).read_text())


def test_every_interface_has_its_counters() -> None:
    (network,) = parsed("o2ib.txt")["networks"]
    assert network["net"] == "o2ib"
    assert [(nid["nid"], nid["interfaces"], nid["send_count"]) for nid in network["nids"]] == [
        ("192.168.1.71@o2ib", ["ib0"], 171621), ("192.168.2.71@o2ib", ["ib1"], 79), ("192.168.2.72@o2ib", ["ib3"], 52154),
    ]  # fmt: skip
    assert lnet.messages(parsed("efa-before.txt")) == {"tcp": 169, "efa": 36}


def test_a_negative_or_endless_counter_is_none() -> None:
    (network,) = parsed("hostile.txt")["networks"]
    assert [(nid["send_count"], nid["recv_count"]) for nid in network["nids"]] == [(None, None)]


def test_bytes_over_efa_are_proven_by_its_messages() -> None:
    before, after = parsed("efa-before.txt"), parsed("efa-after-1000-mib.txt")
    verdict, reason, count = lnet.judged(before, after, "efa", 1000 * MIB)
    assert (verdict, count) == (Verdict.PASS, 3000) and "beside it: tcp 19" in reason
    assert lnet.judged(before, after, "tcp", 1000 * MIB)[0] is Verdict.FAIL, (
        "what went over EFA did not go over TCP"
    )


def test_a_fall_back_to_tcp_fails() -> None:
    before, after = parsed("efa-before.txt"), parsed("efa-after-1000-mib.txt")
    swapped = {"networks": [{**network, "net": {"efa": "tcp", "tcp": "efa"}.get(network["net"], "lo")}
                            for network in after["networks"]]}  # fmt: skip
    other = {"networks": [{**network, "net": {"efa": "tcp", "tcp": "efa"}.get(network["net"], "lo")}
                          for network in before["networks"]]}  # fmt: skip
    verdict, reason, _ = lnet.judged(other, swapped, "efa", 1000 * MIB)
    assert verdict is Verdict.FAIL and "tcp 3000" in reason
    assert lnet.judged(before, after, "o2ib", MIB)[0] is Verdict.FAIL, "LNet has no such network"


def test_the_address_that_was_planned_must_be_lnet_s() -> None:
    before = parsed("o2ib.txt")
    more = [
        {**one, "nids": [{**nid, "send_count": nid["send_count"] + 1000} for nid in one["nids"]]}
        for one in before["networks"]
    ]
    for address, verdict in (
        ("192.168.1.71", Verdict.PASS),
        ("192.168.1.7", Verdict.FAIL),
        ("", Verdict.PASS),
    ):
        found, reason, _ = lnet.judged(before, {"networks": more}, "o2ib", 1000 * MIB, address)
        assert found is verdict, reason
        assert (f"not {address}@o2ib, which was planned" in reason) is (verdict is Verdict.FAIL)


@pytest.mark.parametrize("name", ["truncated.txt", "hostile.txt"])
def test_what_cannot_be_read_proves_nothing(name: str) -> None:
    assert lnet.judged(parsed("o2ib.txt"), parsed(name), "o2ib", MIB)[0] is Verdict.UNPROVEN
    assert lnet.judged(parsed("o2ib.txt"), {"networks": []}, "o2ib", MIB)[0] is Verdict.UNPROVEN


def test_counters_that_began_anew_prove_nothing() -> None:
    assert (
        lnet.judged(parsed("efa-after-1000-mib.txt"), parsed("efa-before.txt"), "efa", MIB)[0]
        is Verdict.UNPROVEN
    )


@given(mib=st.integers(1, 4096), messages=st.integers(0, 9000))
def test_fewer_messages_than_mib_never_pass(mib: int, messages: int) -> None:
    def at(count: int) -> dict[str, Any]:
        return {"networks": [{"net": "o2ib", "nids": [{"send_count": count, "recv_count": 0}]}]}

    verdict = lnet.judged(at(0), at(messages), "o2ib", mib * MIB)[0]
    assert verdict is (Verdict.PASS if messages >= mib else Verdict.FAIL)
