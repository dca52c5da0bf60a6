"""What tries by other partitions prove of the rails of nodes."""

from __future__ import annotations

import pytest

from railbed.judge.isolation import Outcome, Try, judge

DEFAULT, OWN, OTHER = 0x7FFF, 0x12, 0x21
NODES = {"a": [0], "b": [0], "c": [0]}
WAYS = [("a", "b"), ("b", "c"), ("c", "a")]
NOBODY = {(name, 0): {DEFAULT: False} for name in NODES}


def over(pkey: int, carried: bool | None = False, **ways: bool | None) -> list[Try]:
    """A try each way; ``ab=True`` is of the way from a to b."""
    return [
        Try(rail=0, sender=a, receiver=b, pkey=pkey, carried=ways.get(a + b, carried), reason="" if carried else "silent")
        for a, b in WAYS
    ]  # fmt: skip


USUAL = over(OWN, carried=True)


def verdicts(found: dict[str, Outcome]) -> list[str]:
    return [one.verdict.value for one in found.values()]


def test_no_answer_on_any_way_passes() -> None:
    found = judge(NODES, NOBODY, USUAL, over(DEFAULT))
    assert verdicts(found) == ["pass"] * 3


@pytest.mark.refutes("fabric.isolation")
def test_a_full_member_is_at_fault_and_who_answered_it_is_not() -> None:
    full = NOBODY | {("b", 0): {DEFAULT: True}}
    found = judge(NODES, full, USUAL, over(DEFAULT, ab=True, bc=True))
    assert verdicts(found) == ["pass", "fail", "pass"] and found["b"].guilty == [("b", "rail 0")]
    assert "partition 0x7fff" in found["b"].reason and "a, c answered by it" in found["b"].reason
    found = judge(NODES, NOBODY | {("b", 0): {DEFAULT: False, OTHER: True}}, USUAL, over(DEFAULT))
    assert verdicts(found) == ["pass", "fail", "pass"], "also where nobody here is in that partition"
    assert "answered" not in found["b"].reason


def test_limited_members_that_answer_each_other_are_both_at_fault() -> None:
    found = judge(NODES, NOBODY, USUAL, over(DEFAULT, ab=True))
    assert verdicts(found) == ["fail", "fail", "pass"]
    assert "reach each other as limited members" in found["a"].reason


def test_what_was_not_tried_is_no_pass() -> None:
    assert verdicts(judge(NODES, NOBODY, USUAL, [])) == ["unproven"] * 3
    unread = {end: full for end, full in NOBODY.items() if end != ("a", 0)}
    found = judge(NODES, unread, USUAL, over(DEFAULT))
    assert verdicts(found) == ["unproven", "pass", "pass"] and "cannot be read" in found["a"].reason
    found = judge(NODES, NOBODY, USUAL, [*over(DEFAULT), *over(OTHER, None)])
    assert verdicts(found) == ["unproven"] * 3 and "0x0021: silent" in found["a"].reason
    assert verdicts(judge({"a": []}, {}, [], [])) == ["unproven"]


@pytest.mark.refutes("fabric.isolation")
def test_silence_without_a_control_by_the_clusters_own_partition_is_no_pass() -> None:
    found = judge(NODES, NOBODY, [], over(DEFAULT))
    assert verdicts(found) == ["unproven"] * 3, "as where no port is in the cluster's partition"
    assert "was not tried by the cluster's own partition" in found["a"].reason
    found = judge(NODES, NOBODY, USUAL[1:2], over(DEFAULT))
    assert verdicts(found) == ["unproven", "pass", "pass"], "only the way from b to c had one"
    found = judge(NODES, NOBODY, [*USUAL, *over(OWN, None)], over(DEFAULT))
    assert verdicts(found) == ["unproven"] * 3, "it carried before, and no more after"


@pytest.mark.refutes("fabric.isolation")
def test_a_partition_that_no_neighbour_is_in_is_no_pass() -> None:
    found = judge(NODES, NOBODY | {("b", 0): {DEFAULT: False, OTHER: False}}, USUAL, over(DEFAULT))
    assert verdicts(found) == ["pass", "unproven", "pass"]
    assert "was not tried by partition 0x0021: no rail that it can be tried with" in found["b"].reason


def test_a_way_that_carries_nothing_at_all_is_not_kept_apart() -> None:
    found = judge(NODES, NOBODY, over(OWN, None), over(DEFAULT))
    assert verdicts(found) == ["unproven"] * 3 and "silent" in found["a"].reason
    found = judge(NODES, NOBODY, over(OWN, carried=True, ab=None), over(DEFAULT))
    assert verdicts(found) == ["pass"] * 3, "each has another way"


def test_a_neighbour_that_is_a_full_member_everywhere_proves_nothing() -> None:
    full = {("a", 0): {DEFAULT: False}, ("b", 0): {DEFAULT: True}}
    tries = [Try(rail=0, sender="a", receiver="b", pkey=DEFAULT, carried=True)]
    usual = [one.model_copy(update={"pkey": OWN}) for one in tries]
    found = judge({"a": [0], "b": [0]}, full, usual, tries)
    assert verdicts(found) == ["unproven", "fail"] and "b is a full member and answers" in found["a"].reason


def test_what_is_wrong_everywhere_is_no_nodes_fault() -> None:
    full = {end: {DEFAULT: True} for end in NOBODY}
    found = judge(NODES, full, USUAL, over(DEFAULT, carried=True))
    assert {tuple(one.guilty) for one in found.values()} == {(("", "rail 0"),)}
    two = {name: [0, 1] for name in NODES}
    both = {(name, rail): {DEFAULT: True} for name in NODES for rail in (0, 1)}
    assert {tuple(one.guilty) for one in judge(two, both, USUAL, []).values()} == {(("", "fabric"),)}
    del both["c", 1]
    found = judge(two, both, USUAL, [])
    assert found["a"].guilty == [("", "rail 0"), ("a", "rail 1")]
