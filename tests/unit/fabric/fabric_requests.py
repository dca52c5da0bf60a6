"""Random fabrics for the laws."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import Fabric, FabricRequest, plan


@st.composite
def fabric_requests(draw: Callable[..., int], most_nodes: int = 40, full: bool = False) -> FabricRequest:
    """Any request that a fabric answers: nodes are drawn below the limit of the radix."""
    radix = draw(st.integers(2, 16))
    down = radix - 1 if full else draw(st.integers(1, radix - 1))
    up = radix - 1 if full else draw(st.integers(1, max(1, down)))
    rails = draw(st.integers(1, 9))
    requested = FabricRequest(
        nodes=1,
        rails=rails,
        radix=radix,
        planes=draw(st.integers(1, 2)),
        oversubscription=max(Fraction(1), Fraction(down, up)),
        rail_only=not full and draw(st.integers(0, 9)) == 0,
        extra_endpoints=draw(st.sampled_from([0, 0, 1, 3, rails, 2 * rails + 1])),
    )
    if requested.rail_only:
        requested = FabricRequest(**{**requested.__dict__, "oversubscription": Fraction(1)})
    while not answered(requested):
        # The smallest radix draws and many rails have no answer at all: fewer rails and no extra ports do.
        requested = FabricRequest(
            **{
                **requested.__dict__,
                "rails": max(1, requested.rails // 2),
                "extra_endpoints": 0,
                "radix": requested.radix + 2,
            }
        )
    return FabricRequest(**{**requested.__dict__, "nodes": draw(st.integers(1, most(requested, most_nodes)))})


def answered(requested: FabricRequest) -> Fabric | None:
    """The fabric, or None where the request is refused."""
    try:
        return plan(requested)
    except UsageError:
        return None


def most(requested: FabricRequest, limit: int) -> int:
    """The most nodes, at most ``limit``, for which the request has an answer."""
    low, high = 1, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high)
            if answered(FabricRequest(**{**requested.__dict__, "nodes": middle}))
            else (low, middle - 1)
        )
    return low
