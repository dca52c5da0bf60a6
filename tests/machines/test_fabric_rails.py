"""Production's own measurement of RDMA rails between two machines: the probe, perftest, the ports' counters, the samples."""

from __future__ import annotations

import shlex
from typing import Any

from railbed.contract import Contract, Identity, Machine, Nic, Node, Rail, Ssh
from railbed.judge.rails import RailSample
from railbed.run import Session
from railbed.validate import flows, rendezvous
from railbed.validate.flow_tool import PROBE, Flow

from .conftest import NAMES, RATE_MBIT, Lab

SECONDS, ATTEMPTS = 4, 6
LEAST = 0.95


def contract() -> Contract:
    """What rails need of one: two nodes with the soft RoCE devices of the lab."""
    nodes = [
        Node(
            name=name, pool="vm", role="compute", machine="lab/rail8", gpus=8, cpus=2, memory_mib=768,
            address=f"10.90.0.{11 + at}", ssh=Ssh(user="root", host_keys=["ssh-ed25519 AAAA"]), scalable_unit=0,
            identity=Identity(kind="serial", value=name),
            rails=[
                Rail(
                    index=rail, address=f"10.91.{rail}.{11 + at}/24", mtu=9000, rate_gbps=RATE_MBIT / 1000,
                    nics=[Nic(device=f"rxe_rail{rail}", netdev=f"rail{rail}", rate_gbps=RATE_MBIT / 1000, switch="", port="")],
                )
                for rail in range(8)
            ],
        )
        for at, name in enumerate(NAMES)
    ]  # fmt: skip
    machine = Machine(
        key="lab/rail8", gpu_model="", gpus=8, gpu_memory_mib=None, rails=8, nics_per_rail=1, nic_gbps=RATE_MBIT / 1000,
        payload_fraction=None, transport="roce", collective_ranks_per_node=8,
    )  # fmt: skip
    construct: Any = Contract.model_construct
    made: Contract = construct(nodes=nodes, machines=[machine])
    return made


def measured(
    lab: Lab, rail: int, *, change: Any = None
) -> tuple[list[RailSample], dict[str, rendezvous.End]]:
    """One window over one rail, both ways."""
    made = contract()
    nodes = {node.name: node for node in made.nodes}
    tool, flow, script = flows.tool_for(made, nodes), Flow(NAMES[0], NAMES[1], rail), PROBE.read_text()
    plans = flows.plans(tool, made, nodes, [flow], bidirectional=True, seconds=SECONDS)
    if change:
        change(plans)

    def opened(name: str) -> Session:
        return Session([*lab.login(name), shlex.join(rendezvous.argv(script, "rail_probe"))])

    ends = rendezvous.meet(opened, script, plans, 3 * flows.deadline_s(SECONDS))
    return flows.samples_of(tool, flow, ends, bidirectional=True, window=1, seconds=SECONDS), ends


def best(lab: Lab, rail: int, enough_gbps: float) -> list[float]:
    """The best rate of each direction; the first window in which both are enough is the last."""
    found = [0.0, 0.0]
    for _ in range(ATTEMPTS):
        samples, _ = measured(lab, rail)
        found = [max(one, sample.gbps or 0.0) for one, sample in zip(found, samples, strict=True)]
        if min(found) >= enough_gbps:
            break
    return found


def test_a_rail_carries_its_shaped_rate_both_ways(lab: Lab) -> None:
    enough = LEAST * RATE_MBIT / 1000
    assert min(best(lab, 4, enough)) >= enough


def test_bytes_of_soft_roce_are_counted_and_the_carrier_is_seen(lab: Lab) -> None:
    _, ends = measured(lab, 4)
    for end in ends.values():
        assert end.measured is not None
        counted = end.measured.rails["4"]
        assert counted.carrier
        assert min(counted.tx, counted.rx) > SECONDS * RATE_MBIT * 1e6 / 8 / 4


def test_a_device_without_the_gid_is_named_and_nothing_is_measured(lab: Lab) -> None:
    def elsewhere(plans: dict[str, Any]) -> None:
        for document in [*plans[NAMES[1]]["servers"], *plans[NAMES[1]]["clients"]]:
            document["gid"]["address"] = "10.99.0.1"

    samples, _ = measured(lab, 4, change=elsewhere)
    assert [sample.gbps for sample in samples] == [None, None]
    assert "rxe_rail4 has no RoCE v2 GID of 10.99.0.1" in samples[0].reason


def test_a_port_that_is_down_carries_nothing(lab: Lab) -> None:
    lab.ssh(NAMES[1], "ip link set rail5 down")
    try:
        samples, _ = measured(lab, 5)
    finally:
        lab.ssh(NAMES[1], "ip link set rail5 up")
    assert [sample.gbps for sample in samples] == [0.0, 0.0]
    assert f"no carrier on {NAMES[1]}" in samples[0].reason


def test_a_rail_at_half_does_not_hold_its_rate(lab: Lab) -> None:
    """What the halved shaper's queue drops is sent again, answers to the other direction among it: both lose half or more."""
    lab.shape(NAMES[0], 3, RATE_MBIT / 2)
    try:
        out, back = best(lab, 3, LEAST * RATE_MBIT / 1000)
    finally:
        lab.shape(NAMES[0], 3, RATE_MBIT)
    assert 0 < out <= 0.6 * RATE_MBIT / 1000
    assert 0 < back < LEAST * RATE_MBIT / 1000
