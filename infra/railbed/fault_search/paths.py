"""The ports along a flow, by name: two per cable, from the sender's NIC to the receiver's."""

from __future__ import annotations

from railbed.fabric import Fabric, Names
from railbed.fabric.cables import core_end, node_place, spine_end
from railbed.fault_search.shape import Flow


class Paths:
    """Names the ports of one plane's flows."""

    def __init__(self, fabric: Fabric, names: Names, plane: int) -> None:
        request = fabric.request
        self.fabric = fabric
        self.leaves = names.switch_names("leaf", plane, fabric.leaf)
        self.spines = names.switch_names("spine", plane, fabric.spine)
        self.cores = names.switch_names("core", plane, fabric.core)
        self.nics = names.nic_names(request.rails, request.planes)[plane :: request.planes]
        self.nodes = [names.node_name(node) for node in range(request.nodes)]
        self.places = [node_place(fabric, node) % fabric.down for node in range(request.nodes)]

    def _node(self, node: int, leaf: int) -> tuple[str, str]:
        """A node's NIC and the port of the leaf that it is cabled to."""
        nic = self.nics[leaf % self.fabric.request.rails]
        return f"{self.nodes[node]}:{nic}", f"{self.leaves[leaf]}:{self.places[node] + 1}"

    def _uplink(self, leaf: int, uplink: int) -> tuple[str, str, int]:
        """Both ports of a leaf's uplink, and the spine's index."""
        spine, port = spine_end(self.fabric, leaf, uplink)
        return (
            f"{self.leaves[leaf]}:{self.fabric.down + uplink + 1}",
            f"{self.spines[spine]}:{port}",
            spine,
        )

    def _spine_to_core(self, spine: int, uplink: int) -> tuple[str, str]:
        core, port = core_end(self.fabric, spine, uplink)
        return f"{self.spines[spine]}:{self.fabric.half + uplink + 1}", f"{self.cores[core]}:{port}"

    def of(self, flow: Flow) -> str:
        """The flow's ports, in its direction."""
        nic, leaf_in = self._node(flow.sender, flow.leaf)
        leaf_out, spine_in, spine = self._uplink(flow.leaf, flow.uplink)
        to_leaf_in, to_spine_out, to_spine = self._uplink(flow.to_leaf, flow.to_uplink)
        to_nic, to_leaf_out = self._node(flow.receiver, flow.to_leaf)
        ports = [nic, leaf_in, leaf_out, spine_in]
        if flow.core_uplink >= 0:
            spine_out, core_in = self._spine_to_core(spine, flow.core_uplink)
            to_spine_in, core_out = self._spine_to_core(to_spine, flow.core_uplink)
            ports += [spine_out, core_in, core_out, to_spine_in]
        return " ".join([*ports, to_spine_out, to_leaf_in, to_leaf_out, to_nic])


def hops(path: str) -> list[str]:
    """The cables of a path, each with its direction: ``from_port to_port``."""
    ports = path.split()
    return [f"{ports[i]} {ports[i + 1]}" for i in range(0, len(ports) - 1, 2)]


def device(port: str) -> str:
    """The node or switch that a port belongs to."""
    return port.rpartition(":")[0]
