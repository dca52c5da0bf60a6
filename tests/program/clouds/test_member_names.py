"""Names of a pool's members: what makes a shrink fall on the last groups."""

from __future__ import annotations

import alibabacloud_eflo_controller20221215.models as eflo
import pytest
from tests.program.clouds import alicloud_api, cases
from tests.program.clouds.pools import planned

from railbed import plan as plans
from railbed.platforms.alicloud import capacity, session
from railbed.platforms.cloud import members
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.cloud.members import Member
from railbed.platforms.nebius import discover as nebius_discover


def member(key: str, places: tuple[int, int] | None, created: str = "") -> Member:
    return Member(id=key, address="10.0.0.1", created=created, places=places)


def test_a_group_s_members_have_its_own_names() -> None:
    wanted = [f"n-{place}" for place in range(5)]
    some = [
        member("d", (2, 4), "1"),
        member("a", (0, 2), "9"),
        member("e", (4, 6), "0"),
        member("c", (2, 4), "2"),
    ]
    assert {name: one.id for name, one in members.named(wanted, some, {}).items()} == {
        "n-0": "a", "n-2": "d", "n-3": "c", "n-4": "e",
    }  # fmt: skip


def test_a_member_without_a_place_of_its_own_takes_any_and_known_names_stay() -> None:
    wanted = ["n-0", "n-1", "n-2"]
    some = [member("x", (0, 1)), member("y", (0, 1)), member("z", None)]
    found = {one.id: name for name, one in members.named(wanted, some, {"x": "n-2"}).items()}
    assert found["x"] == "n-2" and set(found.values()) == set(wanted)


def test_a_nebius_node_has_the_name_of_its_resource_whatever_is_missing() -> None:
    plan = planned("nebius", 4)
    pool = plan.pools[0]
    there = [
        nebius_discover.Seen(id=f"id-{place}", address="" if place == 1 else "10.0.0.1") for place in range(4)
    ]
    status = nebius_discover.status(
        plan, pool.name, there, PreviousContract(names={}, host_keys={}), ["ssh-ed25519 AAAA"] * 4
    )
    named = members.named(plans.node_names(pool.name, 4, 0), status.members, {})
    assert {one.id: name for name, one in named.items()} == {
        f"id-{place}": f"{pool.name}-{place}" for place in (0, 2, 3)
    }


def test_lingjun_nodes_that_stay_are_those_whose_names_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = cases.planned({**cases.example("alicloud-cluster"), "workloads": []})
    pool = plan.pools[0].model_copy(update={"nodes": 2, "spares": 0})
    one = alicloud_api.Api({}, {})
    one.install(monkeypatch)
    group = capacity.group_name(plan, pool)
    one.cluster_nodes = [
        eflo.ListClusterNodesResponseBodyNodes(node_id=f"e-{n}", node_group_name=group, machine_type="m")
        for n in range(4)
    ]
    known = {
        "e-0": f"{pool.name}-3",
        "e-1": f"{pool.name}-0",
        "e-2": f"{pool.name}-2",
        "e-3": f"{pool.name}-1",
    }
    kept = capacity.bought(session.Session("cn-wulanchabu"), plan, pool, set(), known)
    assert kept.nodes == ["e-1", "e-3"]
