"""The plan of the example, what decides its scope, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed import plan, spec
from railbed.errors import Exit, Unsupported

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "lab-cluster.yaml"
METAL_EXAMPLE = ROOT / "examples" / "metal-cluster.yaml"
GOLDEN = ROOT / "tests" / "unit" / "data" / "spec" / "lab-cluster.plan.json"
WHERE = "x.yaml:railbed:cluster"


def planned(**changed: Any) -> plan.ClusterPlan:
    """The plan of the example with changed keys."""
    data = spec.load(EXAMPLE).model_dump(mode="json")
    return plan.plan(spec.from_config({**data, **changed}, WHERE), WHERE)


def pool(nodes: int, spares: int = 0, name: str = "h100") -> dict[str, Any]:
    return {"name": name, "machine": "lab/rail8", "nodes": nodes, "spares": spares}


def scratch(**changed: Any) -> list[dict[str, Any]]:
    return [{"name": "scratch", "mount": "/scratch", "offer": "lab/moosefs", "capacity_tib": 0.01, **changed}]


def test_the_example_plans_as_it_did() -> None:
    """After a change that is meant: ``railbed plan --spec examples/lab-cluster.yaml --json`` makes it."""
    made = plan.plan(spec.load(EXAMPLE), "examples/lab-cluster.yaml:railbed:cluster").as_json()
    assert json.loads(json.dumps(made)) == json.loads(GOLDEN.read_text())


def test_json_keys_are_those_of_the_command_line() -> None:
    made = planned().as_json()
    assert list(made) == [
        "name", "service", "platform", "pools", "filesystems", "claims", "out_of_scope", "spare_nodes",
        "price", "warnings",
    ]  # fmt: skip
    assert list(made["pools"][0]) == [
        "name",
        "machine",
        "nodes",
        "spares",
        "spare_jobs",
        "rails",
        "node_gbps",
    ]


def test_equal_specs_give_equal_plans() -> None:
    assert planned() == planned()
    assert plan.hosts(planned()) == plan.hosts(planned())


def test_claims_about_simulated_hardware_say_so() -> None:
    claims = {claim.id: claim for claim in planned().claims}
    for name in ("node.gpus", "node.driver", "fabric.rail.0.bandwidth", "collective.all_reduce@2"):
        assert claims[name].simulated
    for name in ("node.time", "node.packages", "scheduler.state", "storage.servers"):
        assert not claims[name].simulated


def test_rail_gate_is_95_per_cent_of_the_wire_payload() -> None:
    claims = {claim.id: claim for claim in planned().claims}
    reach = claims["fabric.rail.3.bandwidth"].expectation
    assert reach is not None and reach.floor is not None and reach.unit == "Gb/s"
    assert reach.floor == pytest.approx(0.95 * 0.1 * 0.9927)
    together = claims["fabric.all_rails"].expectation
    assert together is not None and together.floor == pytest.approx(8 * reach.floor)
    assert claims["fabric.rail.3.bandwidth"].roles == ["compute", "spare"]
    assert claims["collective.alltoall@4"].roles == []


def test_every_expectation_says_how_it_came_about() -> None:
    for claim in planned().claims:
        if claim.expectation is not None:
            assert claim.expectation.derivation, claim.id
            # Right data count, where a rate of stand-ins says nothing; a latency has a most, and no least.
            bare = claim.expectation.basis == "data" or claim.id == "fabric.latency"
            assert (claim.expectation.floor is not None) != bare, claim.id


def test_out_of_scope_has_reasons_and_never_overlaps() -> None:
    for made in (planned(), planned(pools=[pool(1)], filesystems=scratch(copies=1)), planned(filesystems=[])):
        inside = {claim.id for claim in made.claims}
        outside = {claim.id for claim in made.out_of_scope}
        assert not inside & outside
        assert all(claim.reason for claim in made.out_of_scope)
        assert len(outside) == len(made.out_of_scope)


def outside(made: plan.ClusterPlan) -> dict[str, str]:
    return {claim.id: claim.reason for claim in made.out_of_scope}


def test_one_compute_node_leaves_what_needs_partners_out() -> None:
    alone = planned(pools=[pool(1)], filesystems=scratch(copies=1))
    out = outside(alone)
    assert "partners" in out["fabric.rail.0.bandwidth"]
    assert "one compute node" in out["collective.all_reduce@2"]
    assert "one compute node" in out["fabric.transport"]
    assert "one node with rails" in out["fabric.all_rails"]
    assert "one copy" in out["storage.servers"]
    assert "none is left" in out["job.resume"]
    together = {c.id for c in planned().claims if not c.id.startswith("collective.")}
    assert {c.id for c in alone.claims} == together - set(out)


@pytest.mark.parametrize(
    ("nodes", "spares", "judged"), [(1, 1, False), (2, 0, False), (2, 1, True), (3, 0, True)]
)
def test_a_rail_needs_two_partners(nodes: int, spares: int, judged: bool) -> None:
    made = planned(pools=[pool(nodes, spares)], filesystems=scratch(copies=1))
    assert ("fabric.rail.0.bandwidth" in {c.id for c in made.claims}) is judged
    assert ("fabric.rail.0.bandwidth" in outside(made)) is not judged


@pytest.mark.parametrize(
    ("nodes", "sizes"),
    [(1, []), (2, [2]), (3, [2, 3]), (4, [2, 4]), (6, [2, 4, 6]), (128, [2, 4, 8, 16, 32, 64, 128])],
)
def test_collectives_double_up_to_all_nodes(nodes: int, sizes: list[int]) -> None:
    made = planned(pools=[pool(nodes, 1)], filesystems=[])
    asked = [
        claim.id.partition("@")[2] for claim in made.claims if claim.id.startswith("collective.all_gather@")
    ]
    assert asked == [str(size) for size in sizes]


def test_a_group_of_more_nodes_than_anybody_published_is_judged_by_its_data() -> None:
    claims = {claim.id: claim for claim in plan.plan(spec.load(METAL_EXAMPLE), WHERE).claims}
    few, many = (claims[f"collective.alltoall@{k}"].expectation for k in (4, 64))
    assert few is not None and few.basis == "derived" and few.floor
    assert many is not None and many.basis == "data" and many.floor is None and many.bound
    published = claims["collective.all_reduce@64"].expectation
    assert published is not None and published.basis == "family" and published.floor


def test_no_filesystem_no_storage_and_no_job() -> None:
    out = outside(planned(filesystems=[]))
    assert {"storage.write", "storage.read", "storage.servers", "job.checkpoint", "job.resume"} <= set(out)


def test_every_filesystem_of_a_spec_has_claims_of_its_own() -> None:
    data = spec.load(EXAMPLE.parent / "metal-cluster.yaml").model_dump(mode="json")
    first = data["filesystems"][0]
    second = {**first, "name": "data", "mount": "/data", "existing": "10.80.250.2@tcp:/data"}
    made = plan.plan(spec.from_config({**data, "filesystems": [first, second]}, WHERE), WHERE)
    inside = {claim.id: claim for claim in made.claims}
    assert {"storage.write", "storage.write@data", "storage.random@data", "storage.path"} <= set(inside)
    reach = inside["storage.all_write@data"].expectation
    assert reach is not None and reach.size_bytes == round((reach.expected or 0) * 30e9)
    out = outside(made)
    assert "not reached over LNet on RDMA" in out["storage.path@data"]
    assert "checkpoint of the job" in out["storage.all_write"]


def test_two_clients_are_not_compared() -> None:
    out = outside(planned(pools=[pool(2)], filesystems=scratch(copies=2)))
    assert "too few" in out["storage.random"] and "too few" in out["storage.metadata"]


def test_a_claim_is_asked_where_there_is_what_it_is_about() -> None:
    roles = {claim.id: claim.roles for claim in planned().claims}
    assert roles["node.mounts"] == roles["node.scheduler"] == ["controller", "compute", "spare"]
    assert roles["node.logins"] == ["compute", "spare"], "people log in to the controller"
    assert "node.mounts" in outside(planned(filesystems=[]))


def test_filesystem_of_the_example() -> None:
    (one,) = planned().filesystems
    assert (one.metadata_server, one.data_path, one.copies) == ("ctl0", "/srv/railbed/data/scratch", 2)
    assert one.data_servers == ["h100-0", "h100-1", "h100-2", "h100-3"]


def test_copies_without_a_wish_are_as_many_as_servers_allow() -> None:
    assert planned(filesystems=scratch()).filesystems[0].copies == 2
    assert planned(pools=[pool(1)], filesystems=scratch()).filesystems[0].copies == 1


def test_software_is_the_release() -> None:
    software = planned().software
    assert software.versions["nvidia_driver"] == "570.124.06"
    assert software.packages["nvidia_driver"] == "nvidia-open"
    assert software.versions["torch"] == "2.15.0"
    assert "torch" not in software.packages
    assert software.training_stack_path == "/opt/railbed/training"


def test_warnings_point_into_the_spec() -> None:
    warned = {w.code: w.path for w in planned(pools=[pool(1)], filesystems=scratch(copies=1)).warnings}
    assert warned == {
        "NO_SPARES": f"{WHERE}.pools",
        "ONE_COPY": f"{WHERE}.filesystems[0].copies",
        "CAPACITY_NOT_ENFORCED": f"{WHERE}.filesystems[0].capacity_tib",
    }
    assert [w.code for w in planned().warnings] == ["CAPACITY_NOT_ENFORCED"]


METAL = {
    "service": "metal",
    "scheduler": "none",
    "platform": {
        "kind": "metal",
        "machines": [
            {"name": f"h100-{i}", "bmc": f"https://10.81.0.{i}", "serial": f"S{i}", "address": f"10.80.0.{i}"}
            for i in (0, 1)
        ],
    },
    "pools": [{"name": "h100", "machine": "metal/hgx-h100", "nodes": 2}],
    "fabric": {"rails": 8, "node_gbps": 3200},
    "filesystems": [
        {"name": "scratch", "mount": "/scratch", "offer": "metal/superpod-good", "capacity_tib": 100.0}
    ],
}


@pytest.mark.parametrize(
    ("changed", "path", "feature"),
    [
        ({"service": "hosts", "scheduler": "none"}, ".service", "hosts"),
        ({"scheduler": "kubernetes"}, ".scheduler", "kubernetes"),
        ({"access": {"ssh_from": ["10.0.0.0/8"]}}, ".access.ssh_from", "ssh_from"),
        (
            {"filesystems": scratch(keep_on_destroy=True)},
            ".filesystems[0].keep_on_destroy",
            "keep_on_destroy",
        ),
        (
            {"filesystems": scratch(mbytes_per_s_per_tib=500)},
            ".filesystems[0].mbytes_per_s_per_tib",
            "throughput",
        ),
        ({"filesystems": scratch() + scratch(name="b", mount="/b")}, ".filesystems[1]", "another filesystem"),
        (METAL, ".filesystems[0].existing", "making a filesystem"),
    ],
)
def test_what_is_not_built_is_refused_by_name(changed: dict[str, Any], path: str, feature: str) -> None:
    with pytest.raises(Unsupported) as refused:
        planned(**changed)
    assert refused.value.code == "UNSUPPORTED"
    assert refused.value.exit_status is Exit.USAGE
    assert refused.value.path == WHERE + path
    assert feature in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    "example", ["metal-cluster", "aws-cluster", "azure-cluster", "gcp-cluster", "oci-cluster"]
)
def test_the_reference_job_is_asked_of_hardware(example: str) -> None:
    made = plan.plan(spec.load(EXAMPLE.with_name(f"{example}.yaml")))
    claims = {claim.id: claim for claim in made.claims if claim.id.startswith("job.")}
    assert set(claims) == {"job.checkpoint", "job.resume"}
    assert not any(claim.simulated for claim in claims.values())
    assert {one.machine.trains_on for one in made.pools} == {"cuda"}
    assert {one.machine.trains_on for one in planned().pools} == {"cpu"}, "the lab's GPUs compute nothing"
