"""One software per pool: which node is named where it is not."""

from __future__ import annotations

import pytest

from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.validate.pools import compared

GPU_NODES = ("h100-0", "h100-1", "h100-2", "h100-3")


def seen(claim: str, *versions: str | None, verdict: Verdict = Verdict.PASS) -> list[Judged]:
    return [
        Judged(claim=claim, node=node, verdict=verdict, measured=version, reason="seen")
        for node, version in zip(GPU_NODES, versions, strict=False)
    ]


@pytest.fixture
def pool(contract: Contract) -> Contract:
    """Four nodes of one pool."""
    first = next(node for node in contract.nodes if node.gpus)
    return contract.model_copy(
        update={"nodes": [first.model_copy(update={"name": name}) for name in GPU_NODES]}
    )


@pytest.mark.parametrize("claim", ["node.driver", "node.fabric_manager", "node.kernel"])
def test_one_version_is_left_as_it_is(pool: Contract, claim: str) -> None:
    found = seen(claim, "570.124.06", "570.124.06", "570.124.06", None)
    assert compared(pool, found) == found


def test_the_odd_node_fails_and_says_what_the_others_have(pool: Contract) -> None:
    usual, odd, *rest = compared(
        pool, seen("node.kernel", "6.8.0-136", "6.8.0-140", "6.8.0-136", "6.8.0-136")
    )
    assert {one.verdict for one in (usual, *rest)} == {Verdict.PASS}
    assert (odd.node, odd.verdict, odd.detail) == ("h100-1", Verdict.FAIL, {"parts": ["kernel"]})
    assert odd.reason == (
        "seen; pool h100 has a mixed kernel: 6.8.0-136 on h100-0 h100-2 h100-3, 6.8.0-140 on h100-1"
    )


def test_where_none_is_usual_all_of_them_are_named(pool: Contract) -> None:
    found = compared(pool, seen("node.kernel", "6.8.0-136", "6.8.0-140"))
    assert {one.verdict for one in found} == {Verdict.FAIL}


def test_the_releases_own_version_is_never_the_odd_one(pool: Contract) -> None:
    found = seen("node.driver", "570.124.06", "595.71.05", "595.71.05")
    right = found[0].model_copy(update={"expected": "570.124.06"})
    assert compared(pool, [right, *found[1:]])[0] == right


def test_a_node_that_fails_already_keeps_its_part(pool: Contract) -> None:
    found = seen("node.driver", "570.124.06", "565.57.01", "570.124.06")
    bad = found[1].model_copy(update={"verdict": Verdict.FAIL, "detail": {"parts": ["driver"]}})
    odd = compared(pool, [found[0], bad, found[2]])[1]
    assert odd.verdict is Verdict.FAIL and odd.detail == {"parts": ["driver"]}
    assert "565.57.01 on h100-1" in odd.reason


def test_pools_are_not_compared_with_each_other_nor_other_claims(pool: Contract) -> None:
    found = seen("node.gpus", "8", "7")
    assert compared(pool, found) == found
    two = pool.model_copy(
        update={"nodes": [pool.nodes[0], pool.nodes[1].model_copy(update={"pool": "b200"})]}
    )
    apart = seen("node.driver", "570.124.06", "595.71.05")
    assert compared(two, apart) == apart
