"""Searches among links: the cable, its direction, the NIC, the node, the switch; and what cannot be told apart."""

from __future__ import annotations

import random

import pytest

from railbed import fault_search
from railbed.claims import Verdict
from railbed.errors import UsageError
from railbed.fault_search.paths import hops

from .play import Fails, filled, named, play, turned_around

Search = fault_search.Search
SIZES = [{"nodes": 64}, {"nodes": 31}, {"nodes": 40}, {"nodes": 80, "rails": 4, "fabric": {"radix": 16}},
         {"nodes": 64, "rails": 2, "fabric": {"radix": 16, "planes": 2, "oversubscription": "2"}}]  # fmt: skip


def links(**size: object) -> Search:
    return Search(what="links", **size)  # type: ignore[arg-type]


def over(*bad: str) -> Fails:
    return lambda test: bool(set(bad) & set(hops(test.path or "")))


def through(device: str) -> Fails:
    return lambda test: any(port.startswith(f"{device}:") for port in (test.path or "").split())


def all_hops(search: Search) -> list[str]:
    tests = fault_search.next_round(fault_search.begin(search)).tests
    return sorted({hop for test in tests for hop in hops(test.path or "")})


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_sweep_clears_a_healthy_fabric(size: dict[str, object]) -> None:
    record, decision = play(links(**size), lambda test: False)
    assert (decision.verdict, len(record.rounds), decision.missed) == (Verdict.PASS, 1, 0)
    assert set(decision.unloadable.values()) == {0}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_one_direction_of_any_cable_is_found_in_two_rounds(size: dict[str, object]) -> None:
    search, rng = links(**size), random.Random(1)
    for hop in rng.sample(all_hops(search), 4):
        record, decision = play(search, over(hop))
        (one,) = decision.culprits
        lower = hop if (one.part.startswith("cable") and hop in one.part) else turned_around(hop)
        assert one.part in (f"cable {hop}", f"cable {lower}") or one.part.startswith("nic ")
        source, target = hop.split(" ")
        assert one.detail == f"only from {source} to {target}"
        assert decision.verdict is Verdict.FAIL
        assert len(record.rounds) <= 3
        assert len(record.rounds[-1].tests) < len(record.rounds[0].tests) / 2


def test_a_broken_cable_is_one_culprit_with_both_directions() -> None:
    record, decision = play(links(nodes=64), over("leaf3:40 spine7:4", "spine7:4 leaf3:40"))
    assert named(decision) == {("", "cable leaf3:40 spine7:4")}
    assert decision.culprits[0].detail == "leaf3:40 to spine7:4, both ways"
    assert len(record.rounds) == 2


@pytest.mark.parametrize(
    ("device", "culprit"),
    [("spine1", ("", "switch spine1")), ("leaf3", ("", "switch leaf3")), ("node-5", ("node-5", "node"))],
)
def test_a_dead_device_is_one_culprit(device: str, culprit: tuple[str, str]) -> None:
    _, decision = play(links(nodes=64), through(device))
    assert named(decision) == {culprit}
    assert decision.verdict is Verdict.FAIL


def test_a_flow_that_fails_over_links_that_are_good_is_a_way() -> None:
    search = links(nodes=64)
    first = fault_search.next_round(fault_search.begin(search)).tests[7]
    _, decision = play(search, lambda test: test.path == first.path)
    (one,) = decision.culprits
    assert (one.node, one.part, one.detail) == ("", f"way {first.nodes[0]} {first.nodes[1]}", first.path)


def test_two_faults_at_once() -> None:
    bad = ("leaf3:40 spine7:4", "spine2:1 leaf0:35")
    _, decision = play(links(nodes=64), over(*bad))
    assert named(decision) == {("", "cable leaf3:40 spine7:4"), ("", "cable leaf0:35 spine2:1")}


def test_what_every_way_shares_cannot_be_told_apart() -> None:
    """Two leaves, one spine, one cable each: every flow up the one comes down the other."""
    search = links(nodes=2, rails=1, fabric={"radix": 2})
    _, decision = play(search, over("leaf0:2 spine0:1"))
    assert (decision.verdict, decision.next_round) == (Verdict.UNPROVEN, False)
    assert {part for _, part, _ in decision.suspects} >= {"cable leaf0:2 spine0:1", "cable leaf1:2 spine0:2"}


def test_a_link_without_a_result_is_no_pass() -> None:
    record = fault_search.begin(links(nodes=64))
    record = filled(record.with_round(fault_search.next_round(record)), lambda test: False)
    fewer = record.rounds[0].model_copy(update={"tests": record.rounds[0].tests[1:]})
    decision = fault_search.decide(record.model_copy(update={"rounds": [fewer]}))
    assert (decision.verdict, decision.next_round) == (Verdict.UNPROVEN, True)
    assert decision.untested == 2


def test_links_that_no_flow_can_load_are_told() -> None:
    _, decision = play(links(nodes=4, rails=2, fabric={"radix": 4, "design_nodes": 8}), lambda test: False)
    assert decision.verdict is Verdict.PASS
    assert sum(decision.unloadable.values()) > 0


def test_a_fabric_without_links_has_nothing_to_run() -> None:
    with pytest.raises(UsageError, match="no flow between two"):
        fault_search.next_round(fault_search.begin(links(nodes=4, rails=1)))


def test_a_path_must_be_of_the_fabric() -> None:
    record = fault_search.begin(links(nodes=64))
    record = filled(record.with_round(fault_search.next_round(record)), lambda test: False)
    first = record.rounds[0].tests[0]
    for path in ("node-0:mlx5_0 leaf9:1", "nowhere", (first.path or "").replace("spine", "spline"), ""):
        tests = [first.model_copy(update={"path": path}), *record.rounds[0].tests[1:]]
        wrong = record.model_copy(update={"rounds": [record.rounds[0].model_copy(update={"tests": tests})]})
        with pytest.raises(UsageError, match="path"):
            fault_search.decide(wrong)


def test_another_real_path_is_taken_as_it_was_run() -> None:
    """Where the network chose another spine, the record may say so."""
    record = fault_search.begin(links(nodes=64))
    record = filled(record.with_round(fault_search.next_round(record)), lambda test: False)
    one, other = record.rounds[0].tests[:2]
    swapped = [one.model_copy(update={"path": other.path, "nodes": other.nodes}), *record.rounds[0].tests[1:]]
    changed = record.rounds[0].model_copy(update={"tests": swapped})
    assert fault_search.decide(record.model_copy(update={"rounds": [changed]})).untested > 0
