"""Contracts of the replayed clusters: examples with eight nodes, by the production path from spec to contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from tests.support.replay.containers import IMAGE

from railbed import contract, plan, spec
from railbed.effects import observations
from railbed.effects.workspace import Workspace
from railbed.hardware import NodeFacts, facts
from railbed.platforms import assemble
from railbed.platforms.cloud import cluster
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.metal import fabric, nodes
from railbed.platforms.site import Site

EXAMPLES = Path(__file__).parents[3] / "examples"
NODES = 8
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIReplayedReplayedReplayedReplayedReplayed1"
MOUNT = "/scratch"
BESIDE = [
    {
        "name": "data", "mount": "/data", "offer": "metal/superpod-better", "capacity_tib": 500.0,
        "existing": "10.82.250.2@o2ib:/data",
    }
]  # fmt: skip


def hgx(folder: Path) -> contract.Contract:
    """Eight HGX H100 on a partition of 400 Gb/s InfiniBand with Lustre over it: examples/metal-cluster.yaml, smaller."""
    return _metal(folder, "metal/hgx-h100-ib", "nvidia/qm9700", pkey="0x12")


def roce(folder: Path) -> contract.Contract:
    """The same on 400 Gb/s Ethernet, with a second filesystem that no job saves on, and an image of a container."""
    return _metal(folder, "metal/hgx-h100", "nvidia/sn5600", BESIDE, IMAGE)


def _metal(
    folder: Path,
    machine: str,
    switch: str,
    beside: Sequence[dict[str, Any]] = (),
    image: dict[str, str] | None = None,
    **fabric_parts: str,
) -> contract.Contract:
    place, text = _spec("metal-cluster")
    place["filesystems"] += beside
    place["software"]["container_image"] = image
    place["fabric"].update(fabric_parts)
    place["platform"]["switch"] = switch
    pool = place["pools"][0]
    pool["machine"] = machine
    if not machine.endswith("-ib"):
        place["platform"]["pools"] = {pool["name"]: {"storage_interface": "ens9"}}
    pool.update(nodes=NODES, spares=0)
    names = ["ctl0", *plan.node_names(pool["name"], NODES, 0)]
    place["platform"]["machines"] = [m for m in place["platform"]["machines"] if m["name"] in names]
    place["workloads"] = [
        {"kind": "pretraining", "gpus": 8 * NODES, "days": 75.0, "checkpoint_gbytes": 912.0}
    ]
    planned = _planned(text, folder)
    site = nodes.place_of(planned)
    machines, rails = {one.name: one for one in site.machines}, fabric.rails(planned, site)
    listed = [
        nodes.node(site, machines[name], HOST_KEY, None, 0, [], 0) for name in plan.controller_names(planned)
    ]
    bought = planned.pools[0]
    for at, name in enumerate(plan.node_names(bought.name, bought.nodes, bought.spares)):
        listed.append(nodes.node(site, machines[name], HOST_KEY, bought, at, rails[name], 0))
    filesystems = [assemble.filesystem(one, one.existing) for one in planned.filesystems]
    return assemble.cluster(planned, "replay", listed, filesystems, [])


def p4d(folder: Path) -> contract.Contract:
    """Eight p4d.24xlarge, of which two GPUs share a card that only reads, with FSx for Lustre over TCP."""
    return _aws(folder, "aws/p4d.24xlarge", {"rails": 4, "node_gbps": 400}, "")


def p5(folder: Path) -> contract.Contract:
    """Eight p5.48xlarge with FSx for Lustre over EFA: examples/aws-flagship.yaml, smaller."""
    return _aws(folder, "aws/p5.48xlarge", {"rails": 8, "node_gbps": 3200}, "efa")


def _aws(
    folder: Path, machine: str, fabric: dict[str, Any], network: Literal["", "efa"]
) -> contract.Contract:
    place, text = _spec("aws-flagship")
    place["pools"][0].update(machine=machine, nodes=NODES, spares=0)
    place["fabric"] = fabric
    place["workloads"] = [
        {"kind": "pretraining", "gpus": 8 * NODES, "days": 75.0, "checkpoint_gbytes": 912.0}
    ]
    planned = _planned(text, folder)
    statuses = {cluster.CONTROLLER_POOL: PoolStatus(members=[_member(10)])}
    statuses[planned.pools[0].name] = PoolStatus(members=[_member(100 + at, "block") for at in range(NODES)])
    mounts = {
        one.name: cluster.Mount(source=f"198.51.100.1@tcp:/{one.name}", network=network)
        for one in planned.filesystems
    }
    before = cluster.PreviousContract(names={}, host_keys={})
    made = cluster.build_contract(
        planned, Site(Workspace(folder, "replay")), statuses, mounts, lambda _: None, before
    )
    return contract.validated(made, "replay")


def _spec(example: str) -> tuple[dict[str, Any], dict[str, Any]]:
    text = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
    return text["config"]["railbed:cluster"], text


def _planned(text: dict[str, Any], folder: Path) -> plan.ClusterPlan:
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(text))
    return plan.plan(spec.load(file))


def _member(number: int, block: str = "") -> Member:
    return Member(
        id=f"i-{number:017x}", address=f"198.51.100.{number}", created="2026-11-30T00:00:00Z", block=block,
        host_keys=[HOST_KEY],
    )  # fmt: skip


def remember(made: contract.Contract, work: Workspace, seen: Any) -> None:
    """Writes down what converging saw of the nodes: the names of the rails' cards. ``seen`` is one node's observation."""
    found: dict[str, NodeFacts] = {}
    for node in made.with_role("compute", "spare"):
        found[node.name] = facts(
            seen, contract.wanted.of(made.machine(node.machine), made.pkey), node.identity.value
        )
    work.dir.mkdir(parents=True, exist_ok=True)
    observations.remember(work, found)
