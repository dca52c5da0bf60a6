"""The rule: from endpoints, radix and planes to leaf, spine and core switches and the cables between them.

It reproduces every table of NVIDIA's DGX SuperPOD reference architectures (H100: RA-11333-001 V11, tables 3
and 4; B200). Only whole scalable units are built, as those documents ask. Sizes are of one plane; a plan's totals
are summed over planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from railbed.errors import UsageError
from railbed.fabric import ratio

MAX_NODES = 1_000_000
MAX_RADIX = 1 << 20
MAX_RAILS, MAX_PLANES = 1024, 64
"""Far more than anybody built (72 NICs of a rack, 8 planes), few enough to list every cable."""


@dataclass(frozen=True)
class FabricRequest:
    """What a fabric is for."""

    nodes: int
    rails: int = 8
    """NICs of a node in one plane; NIC i of every node of a scalable unit goes to leaf i."""
    radix: int = 64
    """Ports of one switch at the NIC's rate."""
    planes: int = 1
    """Equal fabrics side by side; every rail of every node has a port in each."""
    oversubscription: Fraction = Fraction(1)
    """Ports down to ports up of a leaf."""
    rail_only: bool = False
    """No spine: one leaf per rail, and no network between rails."""
    design_nodes: int = 0
    """Build spine and core tiers for this many nodes; 0: for ``nodes``."""
    extra_endpoints: int = 0
    """Leaf ports of one plane for management or storage."""

    @property
    def reserved(self) -> int:
        """Node places that the extra endpoints take."""
        return -(-self.extra_endpoints // self.rails)


@dataclass(frozen=True)
class Fabric:
    """The sizes of one plane, and the request that they answer."""

    request: FabricRequest
    tiers: int
    up: int
    """Uplinks of a leaf."""
    down: int
    """Nodes of a scalable unit: ports of a leaf towards nodes."""
    leaf: int
    spine: int
    core: int
    pods: int
    """Groups of ``half`` leaves with spines of their own; 0 with fewer than three tiers."""
    core_sets: int
    """Groups of ``half`` core switches; spine j of every pod is cabled to set j mod ``core_sets``."""

    @property
    def half(self) -> int:
        """Leaves of a pod, and uplinks of its spines."""
        return self.request.radix // 2

    @property
    def units(self) -> int:
        """Scalable units built."""
        return self.leaf // self.request.rails

    @property
    def switches(self) -> dict[str, int]:
        """Switches of each tier, summed over planes."""
        planes = self.request.planes
        return {"leaf": planes * self.leaf, "spine": planes * self.spine, "core": planes * self.core}

    @property
    def cables(self) -> dict[str, int]:
        """Cables between tiers, summed over planes; all uplinks of built switches are cabled."""
        request = self.request
        return {
            "node_leaf": request.planes * (request.nodes * request.rails + request.extra_endpoints),
            "leaf_spine": request.planes * self.leaf * self.up,
            "spine_core": request.planes * self.spine * self.half if self.core else 0,
        }


def plan(request: FabricRequest) -> Fabric:
    """The fabric of ``request``. Raises UsageError for numbers out of range, or past the radix limit with the reason."""
    _check(request)
    up, down = (
        (0, request.radix) if request.rail_only else ratio.split(request.radix, request.oversubscription)
    )
    if not up and not request.rail_only:
        raise UsageError(
            "this oversubscription leaves no port for an uplink",
            code="FABRIC_OVERSUBSCRIPTION", path="--oversubscription", found=str(request.oversubscription),
            allowed=f"1 to {request.radix - 1} with {request.radix}-port switches", hint="or --rail-only",
        )  # fmt: skip
    leaf = request.rails * -(-(request.nodes + request.reserved) // down)
    design = request.rails * -(-(max(request.nodes, request.design_nodes) + request.reserved) // down)
    if design > _leaf_limit(request):
        raise _past_limit(request, design, down)
    if max(request.nodes, request.design_nodes) > MAX_NODES:
        raise UsageError("railbed plans no fabric of so many nodes", code="FABRIC_RANGE", path="--nodes",
                         found=max(request.nodes, request.design_nodes), allowed=f"≤ {MAX_NODES}")  # fmt: skip
    if request.rail_only:
        return Fabric(request, 1, 0, down, leaf, 0, 0, 0, 0)
    if design <= request.radix:
        return Fabric(request, 2, up, down, leaf, _divisor(up, design * up, request.radix), 0, 0, 0)
    half = request.radix // 2
    pods = -(-design // half)
    # A pod has a spine per uplink of a leaf, whether all its leaves are there or not: no cable moves when they come.
    # More core sets than spines in a pod would stand without a cable.
    sets = min(_divisor(half, pods, 2), up)
    return Fabric(request, 3, up, down, leaf, pods * up, half * sets, pods, sets)


def _check(request: FabricRequest) -> None:
    least = {"nodes": 1, "rails": 1, "radix": 2, "planes": 1, "extra_endpoints": 0}
    for name, low in least.items():
        if getattr(request, name) < low:
            raise UsageError(
                f"a fabric needs at least {low} as {name.replace('_', ' ')}", code="FABRIC_RANGE",
                path=f"--{name.replace('_', '-')}", found=getattr(request, name), allowed=f"≥ {low}",
            )  # fmt: skip
    if request.design_nodes and request.design_nodes < request.nodes:
        raise UsageError(
            "the fabric would be designed for fewer nodes than it has", code="FABRIC_RANGE",
            path="--design-nodes", found=request.design_nodes, allowed=f"≥ {request.nodes}",
        )  # fmt: skip
    most = {"rails": MAX_RAILS, "planes": MAX_PLANES, "radix": MAX_RADIX}
    for name, high in most.items():
        if getattr(request, name) > high:
            raise UsageError(
                f"railbed plans no fabric of so many {'ports of a switch' if name == 'radix' else name}",
                code="FABRIC_RANGE", path=f"--{name}", found=getattr(request, name), allowed=f"≤ {high}",
            )  # fmt: skip
    ratio.read(request.oversubscription)
    if request.rail_only and request.oversubscription != 1:
        raise UsageError(
            "a rail-only fabric has no uplinks to oversubscribe", code="FABRIC_OVERSUBSCRIPTION",
            path="--oversubscription", found=str(request.oversubscription), allowed="1",
            hint="leave out --rail-only or --oversubscription",
        )  # fmt: skip


def _leaf_limit(request: FabricRequest) -> int:
    """Most leaves of a plane: r with two tiers, r pods of r/2 leaves with three, one per rail without a spine."""
    half = request.radix // 2
    return request.rails if request.rail_only else max(request.radix, 2 * half * half)


def _past_limit(request: FabricRequest, leaf: int, down: int) -> UsageError:
    nodes = max(request.nodes, request.design_nodes)
    more = f" and {request.extra_endpoints} extra endpoints" if request.extra_endpoints else ""
    if request.rail_only:
        why = f"without a spine a rail is one switch of {request.radix} ports, and {nodes} nodes{more} need one each"
        hint = f"the smallest radix that would do is {nodes + request.reserved}; or leave out --rail-only"
    else:
        half = request.radix // 2
        why = (
            f"{nodes} nodes of {request.rails} rails{more} need {leaf} leaf switches in units of {down} nodes; three tiers "
            f"of {request.radix}-port switches take at most {_leaf_limit(request)} ({2 * half} pods of {half})"
        )
        hint = f"the smallest radix that would do is {smallest_radix(request)}; or raise --oversubscription"
    return UsageError(
        f"past the radix limit: {why}", code="FABRIC_RADIX_LIMIT", path="--nodes", found=nodes, hint=hint
    )


def smallest_radix(request: FabricRequest) -> int:
    """The smallest radix that carries the request in three tiers. Both sides of the limit grow with the radix."""
    places = max(request.nodes, request.design_nodes) + request.reserved
    low, high = 2, 4
    while not _carries(high, request, places):
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _carries(middle, request, places) else (middle + 1, high)
    return low


def _carries(radix: int, request: FabricRequest, places: int) -> bool:
    up, down = ratio.split(radix, request.oversubscription)
    return up > 0 and request.rails * -(-places // down) <= max(radix, 2 * (radix // 2) ** 2)


def _divisor(of: int, numerator: int, denominator: int) -> int:
    """The smallest divisor of ``of`` that is at least ``numerator / denominator``."""
    return next(k for k in range(1, of + 1) if of % k == 0 and k * denominator >= numerator)


def warnings(fabric: Fabric) -> list[dict[str, str]]:
    """What the planner should know and that stops nothing."""
    request = fabric.request
    unused = request.radix - fabric.up - fabric.down
    if not unused:
        return []
    full = " or ".join(ratio.filling(request.radix, fabric.up))
    message = (
        f"{fabric.down} ports down and {fabric.up} up leave {unused} of {request.radix} ports of every leaf unused; "
        f"{full} uses all"
    )
    return [{"code": "FABRIC_PORTS_UNUSED", "message": message, "path": "--oversubscription"}]
