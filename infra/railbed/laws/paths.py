"""What traffic between nodes must reach that is not confined to one rail: across leaf switches, into one rail, and how soon.

Across leaf switches flows share uplinks, and which one a flow takes is chosen by a hash or a routing table, not by load: two
that meet on one uplink get half of it each. So nobody reaches the whole of what the cables carry.
"""

from __future__ import annotations

from railbed.claims import Expectation
from railbed.laws.bandwidth import expect_rail
from railbed.laws.machine import BandwidthMachine

ACROSS_SHARE = 0.5
"""Of what the uplinks carry, what flows in random pairs must reach in the mean of a leaf's. Declared: networks with full
bisection reach 0.55 to 0.60 with static routing (Hoefler, Schneider, Lumsdaine, "Multistage switches are not crossbars", IEEE
Cluster 2008, abstract); adaptive routing reaches more."""
INCAST_SHARE = 0.9
"""Of a rail's payload, what many senders together must bring into it. Declared: senders that were told to slow down take a moment
to come back."""
LATENCY_US = {"infiniband": 5.0, "roce": 5.0}
"""Transport → the longest one-way time of 8 B by ib_write_lat that an operator takes into service (oracle-quickstart/oci-hpc at
b5285a6, multi_node_active_healthcheck.py and scripts/ib_write_lat.sh; H100, H200 and B200). It reads the mean; the median, which
is judged here, is below it. imbue-ai/cluster-health takes 4.2 us at the 99th percentile."""
RACK_LATENCY_US = 9.0
"""The same for machines whose NVLink spans nodes (GB200)."""


def expect_within_leaf(machine: BandwidthMachine) -> Expectation:
    """What each flow of pairs must carry where all nodes are on the same leaves, Gb/s: no uplink is shared."""
    reach = expect_rail(machine)
    return reach.model_copy(
        update={
            "derivation": [
                *reach.derivation,
                "all nodes are on the same leaf switches: no flow takes an uplink",
            ]
        }
    )


def expect_across(machine: BandwidthMachine, oversubscription: float) -> Expectation:
    """What flows across leaf switches must carry, Gb/s a rail, where a leaf has so many ports down for each up."""
    reach = expect_rail(machine)
    if reach.expected is None:
        return reach
    share = reach.expected / oversubscription
    return reach.model_copy(
        update={
            "expected": share,
            "floor": share * ACROSS_SHARE,
            "basis": "declared",
            "derivation": [
                *reach.derivation[:1],
                f"{reach.expected:.4g} Gb/s of payload, leaf ports down to up {oversubscription:g}:1 = {share:.4g} Gb/s a flow",
                f"floor: {ACROSS_SHARE:g} of it, declared: with static routes full bisection gives 0.55 to 0.60 (Hoefler and "
                "others, IEEE Cluster 2008); where no uplink is shared, the floor of a rail by itself counts",
            ],
        }
    )


def expect_incast(machine: BandwidthMachine) -> Expectation:
    """What many senders together must bring into one rail, Gb/s."""
    reach = expect_rail(machine)
    if reach.expected is None:
        return reach
    return reach.model_copy(
        update={
            "floor": reach.expected * INCAST_SHARE,
            "basis": "declared",
            "derivation": [
                *reach.derivation[:1],
                f"the receiver's payload {reach.expected:.4g} Gb/s; floor {INCAST_SHARE:g} of it, declared: senders that were "
                "told to slow down take a moment to come back",
            ],
        }
    )


def latency_limit(transport: str, *, rack: bool) -> Expectation:
    """The longest healthy one-way time of a small message over a rail, microseconds, as ``expected``; there is no floor.

    ``rack``: the machine's NVLink spans nodes. Where nobody published a limit rails are compared with each other alone.
    """
    limit = LATENCY_US.get(transport)
    if limit is None:
        reason = f"nobody published what latency of {transport} rails is healthy: they are compared with each other"
        return Expectation(unit="us", basis="none", derivation=[reason])
    limit = RACK_LATENCY_US if rack else limit
    return Expectation(
        unit="us",
        expected=limit,
        basis="declared",
        derivation=[
            f"at most {limit:g} us one way, 8 B by ib_write_lat: an operator's gate (oracle-quickstart/oci-hpc at b5285a6)"
        ],
    )
