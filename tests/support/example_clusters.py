"""The examples' clusters with the first nodes there: plan and contract by the production path, members and devices made up."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.node_trees import KINDS, Tree, kind

from railbed import contract, plan, spec
from railbed.effects.workspace import Workspace
from railbed.hardware import NodeFacts, facts
from railbed.platforms import assemble
from railbed.platforms.cloud import cluster
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.metal import fabric, nodes
from railbed.platforms.site import Site

EXAMPLES = Path(__file__).parents[2] / "examples"
NODES = 2
"""Of each pool, in two blocks of the provider's network."""
OTHERWISE = {
    "aws-p4d": (
        "aws-flagship",
        {
            "aws/p5.48xlarge": "aws/p4d.24xlarge",
            "{rails: 8, node_gbps: 3200}": "{rails: 4, node_gbps: 400}",
            'release: "2026.11"': 'release: "2026.12"',
        },
    ),
    "metal-cluster-roce": (
        "metal-cluster",
        {
            "metal/hgx-h100-ib": "metal/hgx-h100",
            "nvidia/qm9700": "nvidia/sn5600",
            "storage_network: {cidr": "pools: {h100: {storage_interface: ens9}}\n      storage_network: {cidr",
        },
    ),
}
"""Examples with other words: name → example and what stands there instead of what."""


def cluster_of(example: str) -> contract.Contract:
    """The contract of an example after the provider gave two nodes of each pool; the others are missing."""
    name, words = OTHERWISE.get(example, (example, {}))
    text = (EXAMPLES / f"{name}.yaml").read_text()
    for word, instead in words.items():
        assert word in text
        text = text.replace(word, instead)
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(text)
        planned = plan.plan(spec.load(file))
    return metal(planned) if planned.platform == "metal" else _cloud(planned)


def _cloud(planned: plan.ClusterPlan) -> contract.Contract:
    controllers = [_member(10 + at) for at in range(len(plan.controller_names(planned)))]
    statuses = {cluster.CONTROLLER_POOL: PoolStatus(members=controllers)}
    for at, pool in enumerate(planned.pools):
        statuses[pool.name] = PoolStatus(
            members=[_member(100 + 10 * at + node, f"block-{node}") for node in range(NODES)]
        )
    mounts = {one.name: cluster.Mount(source=f"198.51.100.1@tcp:/{one.name}") for one in planned.filesystems}
    made = cluster.build_contract(
        planned, Site(Workspace(Path(), "example")), statuses, mounts, lambda _: None,
        cluster.PreviousContract(names={}, host_keys={}),
    )  # fmt: skip
    return contract.validated(made, "example")


def _member(number: int, block: str = "") -> Member:
    return Member(
        id=f"i-{number}", address=f"198.51.100.{number}", created="2026-11-30T00:00:00Z", block=block,
        host_keys=[f"ssh-ed25519 AAAAC3Nza{number}"],
    )  # fmt: skip


def metal(planned: plan.ClusterPlan) -> contract.Contract:
    """Of a plan of metal."""
    place = nodes.place_of(planned)
    machines, rails = {one.name: one for one in place.machines}, fabric.rails(planned, place)
    key, unit = "ssh-ed25519 AAAAC3Nza", fabric.scalable_unit(planned, place)
    listed = [
        nodes.node(place, machines[name], key, None, 0, [], 0) for name in plan.controller_names(planned)
    ]
    for pool in planned.pools:
        names = plan.node_names(pool.name, pool.nodes, pool.spares)
        # One node of each of the first two scalable units.
        listed += [
            nodes.node(place, machines[names[at]], key, pool, at, rails[names[at]], at // unit)
            for at in (0, unit)
        ]
    filesystems = [assemble.filesystem(one, one.existing) for one in planned.filesystems]
    return assemble.cluster(planned, "example", listed, filesystems, [])


def observed(made: contract.Contract) -> dict[str, NodeFacts]:
    """What is seen of its GPU nodes: the kind of node that there is of their machine."""
    kinds = {kind(name)["machine"]: name for name in KINDS}
    found = {}
    for node in made.with_role("compute", "spare"):
        with TemporaryDirectory() as folder:
            seen = Tree(Path(folder), kind(kinds[node.machine])).observation()
        found[node.name] = facts(seen, contract.wanted.of(made.machine(node.machine)), node.identity.value)
    return found
