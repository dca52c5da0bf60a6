"""The link sweep: stages of flows over known paths, so that every cable between switches carries a full flow both ways.

In a stage no two flows share a NIC or a direction of a cable, so each can have the whole line. Every switch matches
what comes up with what goes down: sorted by where it came from and turned by more than the largest share, nothing
goes back to the leaf (below a spine) or the pod (below a core) that it came from. Full leaves are done in one stage;
a leaf with fewer nodes than uplinks needs more, and the others help it. Whole numbers only; names come later. Memory
is linear in the cables.
"""

from __future__ import annotations

from railbed.fabric.rule import Fabric
from railbed.fault_search.shape import Shape, Sweep
from railbed.fault_search.three_tier import ThreeTier
from railbed.fault_search.two_tier import TwoTier, rail_variants


def sweep(fabric: Fabric, variant: int = 0) -> Sweep:
    """The stages of one sweep. Another ``variant`` loads the same cables, each together with others than before."""
    shape, done = Shape(fabric), Sweep()
    core_cables = fabric.spine * fabric.half if fabric.core else 0
    done.unloaded_leaf_spine, done.unloaded_spine_core = fabric.leaf * fabric.up, core_cables
    if len(shape.peopled) > 1 and fabric.up:
        tiers = ThreeTier if fabric.core and len(shape.pods) > 1 else TwoTier
        loads = tiers(shape, variant, done)
        loads.run()
        done.unloaded_leaf_spine -= loads.loaded_leaf_spine
        done.unloaded_spine_core -= loads.loaded_spine_core
    return done


def variants(fabric: Fabric, first: int) -> list[int]:
    """Variants that differ most from those before ``first``: the next ones, and one that leaves the rails."""
    shape = Shape(fabric)
    across = [] if fabric.core and len(shape.pods) > 1 else [rail_variants(shape) + first]
    return list(dict.fromkeys([first, first + 1, first + 2, *across]))


def least_stages(fabric: Fabric) -> int:
    """No sweep has fewer stages: a NIC loads one uplink at a time, and a spine's uplinks need its leaves' NICs."""
    shape = Shape(fabric)
    if len(shape.peopled) < 2 or not fabric.up:
        return 0
    least = max(-(-fabric.up // len(shape.below[leaf])) for leaf in shape.peopled)
    if fabric.core and len(shape.pods) > 1:
        for leaves in shape.pods.values():
            each = sum(min(fabric.up, len(shape.below[leaf])) for leaf in leaves)
            least = max(least, -(-fabric.up * fabric.half // each))
    return least
