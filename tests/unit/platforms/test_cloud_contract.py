"""The contract of a cloud's members: names that a rename leaves their numbers, and one pass that writes and seals it."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from railbed import contract, plan, spec
from railbed.effects.workspace import Workspace, find_root
from railbed.platforms import assemble, repositories
from railbed.platforms.cloud import cluster
from railbed.platforms.cloud.cluster import Mount, PreviousContract
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.site import Site

NODES = 12


def planned(**pool: Any) -> plan.ClusterPlan:
    """AWS's example with a pool of twelve."""
    data = yaml.safe_load((find_root() / "examples/aws-cluster.yaml").read_text())["config"][
        "railbed:cluster"
    ]
    data["pools"][0].update(name="old", nodes=NODES, spares=0)
    data["pools"][0].update(pool)
    return plan.plan(spec.from_config({**data, "workloads": []}, "test"))


def member(place: int) -> Member:
    """Ids are in another order than names, as a provider's are."""
    return Member(
        id=f"i-{(place * 7) % NODES:02d}",
        address=f"10.0.0.{place + 1}",
        host_keys=[f"ssh-ed25519 AAAA {place}"],
    )


def made(wanted: plan.ClusterPlan, known: PreviousContract) -> dict[str, Any]:
    statuses = {wanted.pools[0].name: PoolStatus(members=[member(place) for place in range(NODES)])}
    statuses["controller"] = PoolStatus(
        members=[Member(id="i-ctl", address="10.0.0.99", host_keys=["ssh-ed25519 AAAA c"])]
    )
    mounts = {one.name: Mount(source="fs@tcp:/x") for one in wanted.filesystems}
    work = Workspace(find_root(), "test")
    return cluster.build_contract(
        wanted,
        Site(work, sources=tuple(repositories.of(wanted, work.published_keys, print))),
        statuses,
        mounts,
        lambda one: contract.Ssm(region="us-east-2", instance=one.id),
        known,
    )


def test_a_contract_names_the_pools_whose_spares_take_no_job() -> None:
    known = PreviousContract(names={}, host_keys={})
    assert made(planned(nodes=NODES - 1, spares=1), known)["standby_pools"] == ["old"]
    for other in ({"spares": 0}, {"nodes": NODES - 1, "spares": 1, "spare_jobs": "last"}):
        assert "standby_pools" not in made(planned(**other), known), "so that it keeps its hash"


def test_a_renamed_pool_keeps_its_numbers() -> None:
    names = {f"i-{place:02d}": f"old-{(place * 5) % NODES}" for place in range(NODES)}
    after = contract.validated(
        made(planned(name="new", formerly="old"), PreviousContract(names=names, host_keys={})), "test"
    )
    assert {node.identity.value: node.name for node in after.with_role("compute")} == {
        one: name.replace("old", "new") for one, name in names.items()
    }
    without = contract.validated(
        made(planned(name="new"), PreviousContract(names=names, host_keys={})), "test"
    )
    assert {node.identity.value: node.name for node in without.with_role("compute")} == {
        f"i-{place:02d}": f"new-{place}" for place in range(NODES)
    }


def test_one_pass_writes_what_two_do_and_shared_rails_once() -> None:
    wanted = planned()
    written = made(wanted, PreviousContract(names={}, host_keys={}))
    parsed = contract.validated(written, "test")
    places = parsed.software.repositories
    again = assemble.unsealed(wanted, "test", parsed.nodes, parsed.filesystems, places, [])
    assert [one.name for one in places][:2] == ["ubuntu 24.04", "cuda"]
    stand_in = base64.b64decode(places[1].signed_by.splitlines()[2]).decode()
    assert stand_in.startswith(f"the key {places[1].fingerprint} of https://")
    assert again.sealed_json() == again.sealed().as_json() == written
    rails = [node["rails"] for node in written["nodes"] if node["role"] == "compute"]
    assert all(one is rails[0] for one in rails)
    assert len(rails[0]) == 8


def test_names_and_host_keys_stay_with_an_instance_but_for_a_key_that_may_change() -> None:
    wanted = planned(name="new")
    work = Workspace(find_root(), "test")
    first = contract.validated(made(wanted, PreviousContract(names={}, host_keys={})), "test").sealed()
    assert cluster.previous_of(Site(work)) == PreviousContract(names={}, host_keys={})
    known = cluster.previous_of(Site(work, first))
    assert known.names == {node.identity.value: node.name for node in first.nodes}
    assert known.host_keys["i-ctl"] == ["ssh-ed25519 AAAA c"]
    changed = cluster.previous_of(Site(work, first, frozenset({"i-ctl"})))
    assert "i-ctl" not in changed.host_keys and changed.names == known.names
