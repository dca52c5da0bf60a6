"""The same with people who reboot the node and hope: no ladder, no validation, no journal; the part after a few reboots."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from .cluster import Cluster
from .faults import Fault, Kind
from .settings import DAY_S


def handle(cluster: Cluster, name: str, fault: Fault) -> Generator[simpy.Event, Any, None]:
    """As of `by_railbed`. Kind to it: the reboot is one through the BMC, and ends all that needs no part; a fault that shows
    after it is seen; a node that was rebooted too often gets its part; nobody starts a job on a leaf that is down."""
    env, times = cluster.env, cluster.setting.times
    members = [name]
    if fault.kind is Kind.LEAF:
        size = cluster.setting.leaf_nodes
        first = cluster.names.index(name) // size * size
        members = [one for one in cluster.names[first : first + size] if one not in cluster.out]
    cluster.out |= set(members)
    cluster.notify()
    if fault.kind is Kind.OWNER:
        yield env.timeout(times.host_away)
    elif fault.kind is Kind.LEAF:
        cluster.counts["rung power-cycle"] += len(members)
        yield env.timeout(times.person + times.breaker_reset)
    else:
        yield env.timeout(times.person)
        while name in cluster.busy:
            yield cluster.changed
        cluster.idle(name)
        cluster.counts["rung power-cycle"] += 1
        yield env.timeout(times.rungs["power-cycle"])
        if not fault.broken:
            cluster.faults.pop(name, None)
        elif (
            fault.shows or fault.kind in (Kind.SILENT, Kind.CABLE) or fault.strikes >= cluster.setting.strikes
        ):
            cluster.counts["parts"] += 1
            yield env.timeout(fault.part_days * DAY_S)
            cluster.faults.pop(name, None)
    cluster.out -= set(members)
    cluster.notify()
