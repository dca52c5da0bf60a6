"""RDMA verbs between two virtual machines: the kernel's soft RoCE over rails that are shaped as every lab's are."""

from __future__ import annotations

import pytest

from railbed.effects.lab import names, network
from railbed.effects.lab.machines import control
from railbed.errors import CommandError
from railbed.judge import compare
from railbed.parse import ibv_devinfo, rdma_link

from .conftest import BURST_SHARE, LOG, NAMES, RAILS, RATE_MBIT, Lab

NOISE = compare.Noise(share=0.03)
"""A flow counts from 95 % of the rate on, and may hold 5 % of burst."""
LEAST, MOST = 0.95, 1.0 + BURST_SHARE
"""Of the shaped rate. Less is lost to headers (2 % at an RDMA MTU of 4096); more is the shaper's burst."""


def test_every_rail_is_an_rdma_device(lab: Lab) -> None:
    for said in lab.both("rdma link"):
        links = rdma_link.plain(said)["links"]
        assert {(one["netdev"], one["state"]) for one in links} == {
            (f"rail{r}", "ACTIVE") for r in range(RAILS)
        }
    for said in lab.both("ibv_devinfo -v"):
        ports = [port for device in ibv_devinfo.plain(said)["devices"] for port in device["ports"]]
        assert [port["link_layer"] for port in ports] == ["Ethernet"] * RAILS


def test_gids_are_the_rails_addresses(lab: Lab) -> None:
    tables = lab.both(
        "cat /sys/class/infiniband/rxe_rail3/ports/1/gids/1 /sys/class/infiniband/rxe_rail3/ports/1/gid_attrs/types/1"
    )
    for at, said in enumerate(tables):
        gid, kind = said.splitlines()
        assert gid == f"0000:0000:0000:0000:0000:ffff:0a5b:03{11 + at:02x}"
        assert kind == "RoCE v2"


def test_each_rail_writes_at_its_shaped_rate_and_one_at_half_is_found(lab: Lab) -> None:
    enough = LEAST * RATE_MBIT / 1000
    healthy = {rail: lab.rate(rail, enough) for rail in range(RAILS)}
    LOG.info("ib_write_bw, Gb/s: %s", healthy)
    assert all(enough <= gbps <= MOST * RATE_MBIT / 1000 for gbps in healthy.values()), healthy
    lab.shape(NAMES[0], 5, RATE_MBIT / 2)
    try:
        slow = lab.rate(5, enough / 2)
    finally:
        lab.shape(NAMES[0], 5, RATE_MBIT)
    assert enough / 2 <= slow <= MOST * RATE_MBIT / 2000
    assert _slow(healthy) == []
    assert _slow({**healthy, 5: slow}) == ["5"]


def _slow(rates: dict[int, float]) -> list[str]:
    """Rails that railbed's comparison of siblings finds slow."""
    found = compare.among({str(rail): [gbps] for rail, gbps in rates.items()}, NOISE)
    return [rail for rail, one in found.items() if one.lost]


def test_a_cable_that_is_pulled_is_seen_by_the_device(lab: Lab) -> None:
    qmp = lab.work.lab_dir / "hosts" / NAMES[0] / "qmp"
    look = "cat /sys/class/net/rail6/carrier; rdma link show rxe_rail6/1"
    control.tell(qmp, "set_link", name="rail6", up=False)
    try:
        pulled = lab.ssh(NAMES[0], look).stdout
    finally:
        control.tell(qmp, "set_link", name="rail6", up=True)
    assert pulled.startswith("0\n")
    assert "state DOWN" in pulled
    again = lab.ssh(NAMES[0], look).stdout
    assert again.startswith("1\n")
    assert "state ACTIVE" in again
    with pytest.raises(CommandError):
        control.tell(qmp, "set_link", name="rail99", up=True)


def test_a_wrong_gid_index_carries_nothing(lab: Lab) -> None:
    absent, why = lab.write_bw(1, client_gid=7, limit_s=20)
    assert absent is None
    assert why
    mixed, _ = lab.write_bw(1, client_gid=0, limit_s=20)
    assert mixed is None, "a link-local GID on one side does not reach the other's address"


def test_an_mtu_that_one_side_lacks(lab: Lab) -> None:
    lab.ssh(NAMES[1], "ip link set rail2 mtu 1500")
    try:
        said = ibv_devinfo.plain(lab.ssh(NAMES[1], "ibv_devinfo -d rxe_rail2").stdout)
        assert said["devices"][0]["ports"][0]["active_mtu"] == 1024
        rate, wrong = lab.write_bw(2)
        assert rate, f"both sides settle on the smaller one: {wrong}"
    finally:
        lab.ssh(NAMES[1], "ip link set rail2 mtu 9000")


def test_a_switch_port_with_a_small_mtu_carries_nothing(lab: Lab) -> None:
    fabric, port = names.fabric_namespace(lab.work.lab_id), names.rail_port(12, 2)
    network.ip(fabric, "link", "set", port, "mtu", "1500")
    try:
        rate, _ = lab.write_bw(2, limit_s=25)
    finally:
        network.ip(fabric, "link", "set", port, "mtu", "9000")
        network.ip(fabric, "link", "set", names.rail_switch(2), "mtu", "9000")
    assert rate is None
