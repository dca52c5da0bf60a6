"""The switches of a metal spec are those that its nodes' contract tells of: same leaves, ports and addresses."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from railbed import spec
from railbed.cli.fabric_options import options
from railbed.plan import plan
from railbed.platforms.metal import fabric as metal
from railbed.platforms.metal.switches.addresses import Networks, rail_plan

FILE = Path(__file__).parents[4] / "examples/metal-cluster.yaml"
SWITCH, MACHINE = "switch: nvidia/qm9700", "machine: metal/hgx-h100-ib"


def ethernet(text: str) -> str:
    """The example with RoCE NICs on Ethernet switches, and settings that are not the usual ones."""
    assert SWITCH in text and MACHINE in text
    own = "switch: nvidia/sn5600\n      oversubscription: '3:1'\n      rails_cidr: 172.16.0.0/12\n     "
    own += " pools: {h100: {storage_interface: ens9}}\n     "
    return text.replace(SWITCH, own).replace(MACHINE, "machine: metal/hgx-h100")


def test_switches_and_contract_agree(tmp_path: Path) -> None:
    """The spec's own switch, ratio and network count in both."""
    file = tmp_path / "Pulumi.metal.yaml"
    file.write_text(ethernet(FILE.read_text()))
    wanted = spec.load(file)
    nodes = metal.rails(plan(wanted, str(file)), wanted.platform)  # type: ignore[arg-type]
    chosen = options(
        nodes=None, spec=file, stack=None, rails=None, radix=None, planes=None, oversubscription=None,  # type: ignore[arg-type]
        rail_only=False, design_nodes=0, extra_endpoints=0, switch=None, link_gbps=None,  # type: ignore[arg-type]
        node_name="node-{node}", nic_name="mlx5_{nic}", switch_name="{tier}{index}",
    )  # fmt: skip
    assert (chosen.fabric.down, chosen.rails_network, chosen.rate_gbps) == (96, "172.16.0.0/12", 400.0)
    told = {
        (node, rail.index, rail.address, nic.switch, nic.port)
        for node, rails in nodes.items()
        for rail in rails
        for nic in rail.nics
    }
    networks = Networks(rails=IPv4Network(chosen.rails_network))
    cabled = {
        (one.node, one.rail, str(one.address), one.leaf, str(one.port))
        for one in rail_plan(chosen.fabric, chosen.names, networks)
    }
    assert told == cabled and len(told) == 8 * len(nodes)
