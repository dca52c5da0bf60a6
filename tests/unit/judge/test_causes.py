"""Causes: the right one is first once the measurement that separates it has been made, and doubt is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.judge import causes
from railbed.judge.causes import Cause, Evidence
from railbed.laws import bandwidth
from railbed.parse import nccl_debug

HGX = bandwidth.of(load_machine("metal/hgx-h100"))
LAB = bandwidth.of(load_machine("lab/rail8"))


def rank(
    shares: dict[str, float],
    nodes: int = 4,
    says: dict[str, bool] | None = None,
    healthy: float = 331.0,
    **kind: str,
) -> list[Cause]:
    machine = LAB if healthy < 1 else HGX
    return causes.rank(
        machine,
        nodes,
        kind.get("collective", "all_reduce"),
        healthy,
        Evidence(shares=shares, nccl_says=says or {}),
    )


WELL = {"rails": 1.0, "rails_of_node": 1.0, "rails_median": 1.0}


@pytest.mark.parametrize(
    ("cause", "curve", "separating"),
    [
        (causes.RAIL_DOWN, 0.52, {"rails": 1e-3, "rails_of_node": 1.0, "rails_median": 1.0}),
        (causes.RAIL_DOWN, 0.80, {"rails": 1e-3, "rails_of_node": 1.0, "rails_median": 1.0}),
        (causes.RAIL_SLOW, 0.50, {"rails": 0.5, "rails_of_node": 1.0, "rails_median": 1.0}),
        (causes.RAIL_SLOW, 0.93, {"rails": 0.93, "rails_of_node": 1.0, "rails_median": 1.0}),
        (causes.GPUDIRECT_OFF, 0.40, {"rails": 0.38, "rails_of_node": 0.4, "rails_median": 0.4}),
        (causes.SLOW_NODE, 0.60, {"rails": 0.6, "rails_of_node": 0.6, "rails_median": 1.0}),
        (causes.SLOW_NODE, 0.60, {**WELL, "inside": 0.55}),
    ],
)
def test_the_separating_measurement_finds_the_cause(
    cause: str, curve: float, separating: dict[str, float]
) -> None:
    found = rank({"curve": curve, **separating})
    assert found[0].cause == cause
    assert not found[0].ambiguous


def test_a_curve_alone_says_that_it_is_ambiguous() -> None:
    found = rank({"curve": 0.5})
    assert found[0].ambiguous
    assert {c.cause for c in found} >= {causes.RAIL_DOWN, causes.RAIL_SLOW, causes.SLOW_NODE}
    assert "each rail by itself" in found[0].measure
    assert all(c.measure and c.why and c.separates_from for c in found)


def test_in_switch_reduction_off_inside_a_node() -> None:
    """Rings reach 370 of 480: that narrow a fit needs no second measurement, and NCCL's log settles it."""
    first = rank({"curve": 367 / 480}, nodes=1, healthy=480.0)[0]
    assert (first.cause, first.ambiguous) == (causes.NVLS_OFF, False)
    two = rank({"curve": 0.75}, nodes=2, healthy=487.0)
    assert two[0].ambiguous
    assert causes.NVLS_OFF in [c.cause for c in two]
    assert rank({"curve": 0.75, **WELL}, nodes=2, healthy=487.0)[0].cause == causes.NVLS_OFF
    settled = rank({"curve": 0.75}, nodes=2, says={causes.NVLS_OFF: True}, healthy=487.0)
    assert (settled[0].cause, settled[0].ambiguous) == (causes.NVLS_OFF, False)
    other = rank({"curve": 0.75}, nodes=2, says={causes.NVLS_OFF: False}, healthy=487.0)
    assert causes.NVLS_OFF not in [c.cause for c in other]


def test_all_gather_does_not_lose_what_only_all_reduce_has() -> None:
    found = rank({"curve": 0.76}, nodes=2, healthy=326.0, collective="all_gather")
    assert causes.NVLS_OFF not in [c.cause for c in found]


def test_sockets_and_gpudirect_by_nccls_own_words() -> None:
    assert rank({"curve": 0.01})[0].cause == causes.SOCKETS
    log = nccl_debug.read("n:1:1 [0] NCCL INFO Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0\n")
    found = rank({"curve": 0.4}, says=causes.nccl_says(log))
    assert (found[0].cause, found[0].ambiguous) == (causes.GPUDIRECT_OFF, False)
    assert "NCCL's log shows it" in found[0].why


def test_what_nccl_says() -> None:
    assert causes.nccl_says(None) == {}
    assert causes.nccl_says(nccl_debug.read("nothing of the kind")) == {}
    line = "n:1:1 [0] NCCL INFO "
    socket = nccl_debug.read(
        line + "Using network Socket\n" + line + "Channel 00/0 : 7[7] -> 8[0] [send] via NET/Socket/0"
    )
    assert causes.nccl_says(socket) == {causes.SOCKETS: True}
    good = nccl_debug.read(
        line
        + "24 coll channels, 16 nvls channels, 32 p2p channels\n"
        + line
        + "Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0/GDRDMA"
    )
    assert causes.nccl_says(good) == {
        causes.SOCKETS: False,
        causes.GPUDIRECT_OFF: False,
        causes.NVLS_OFF: False,
    }


def test_slow_small_messages_alone() -> None:
    found = rank({"curve": 1.0, "small": 0.2})
    assert (found[0].cause, found[0].ambiguous) == (causes.SMALL, False)
    assert causes.SMALL not in [c.cause for c in rank({"curve": 0.5})]


def test_the_lab_has_no_gpus_to_blame() -> None:
    found = {c.cause for c in rank({"curve": 0.5}, healthy=0.0985)}
    assert found <= {causes.RAIL_DOWN, causes.RAIL_SLOW, causes.SLOW_NODE}


def test_one_node_has_no_rails_to_blame() -> None:
    found = rank({"curve": 0.5}, nodes=1, healthy=480.0)
    assert [c.cause for c in found] == [causes.SLOW_NODE]
    assert "nvbandwidth" in found[0].measure


SHARES = st.dictionaries(
    st.sampled_from(
        ["curve", "rails", "rails_of_node", "rails_median", "host_rails", "inside", "halves", "small"]
    ),
    st.floats(0, 3),
)


@given(
    SHARES, st.integers(1, 64), st.floats(1, 900), st.sampled_from(["all_reduce", "all_gather", "alltoall"])
)
def test_weights_are_shares_of_one(
    shares: dict[str, float], nodes: int, healthy: float, collective: str
) -> None:
    for machine in (HGX, LAB):
        if machine is LAB and nodes < 2:
            continue
        found = causes.rank(machine, nodes, collective, healthy, Evidence(shares=shares))
        assert found
        assert sum(c.weight for c in found) <= 1.001
        assert [c.weight for c in found] == sorted((c.weight for c in found), reverse=True)
        assert all(c.measure in causes.MEASUREMENTS.values() for c in found)
        assert (
            found[0].ambiguous == (found[0].weight < causes.CERTAIN)
            or abs(found[0].weight - causes.CERTAIN) < 1e-3
        )
