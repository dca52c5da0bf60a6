"""Role rails: who gets it, and what it writes, and what systemd-networkd makes of that."""

from __future__ import annotations

import configparser
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import Recorded, cluster, record

from railbed.contract import Contract, Node

FILE = "/etc/systemd/network/05-railbed-rail{}.network"
SET_KERNEL = "rails: Set kernel parameters of the rails"


def routed(**changes: Any) -> Contract:
    """The small cluster on RoCE, each rail a /31 to its leaf."""
    contract = cluster()
    nodes = [_with_links(node) for node in contract.nodes]
    machines = [contract.machines[0].model_copy(update={"transport": "roce", **changes})]
    return contract.model_copy(update={"nodes": nodes, "machines": machines, "simulated": False}).sealed()


def _with_links(node: Node) -> Node:
    octet = int(node.address.rsplit(".", 1)[1])
    rails = [
        rail.model_copy(update={"address": f"10.128.{rail.index}.{2 * octet + 1}/31"}) for rail in node.rails
    ]
    return node.model_copy(update={"rails": rails})


@pytest.fixture(scope="module")
def roce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield record(tmp_path_factory.mktemp("roce") / "checkout", routed(), container=False, tags="rails")


def sections(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_every_node_comes_to_the_end(roce: Recorded) -> None:
    assert roce.collector.finished and set(roce.files) == {"h100-0", "h100-1", "h100-2"}
    assert not [one.message for one in roce.collector.nodes.values() if one.failed_task]


def test_each_rail_has_a_table_of_its_own(roce: Recorded) -> None:
    for rail in range(2):
        said = sections(roce.text("h100-0", FILE.format(rail)))
        address = f"10.128.{rail}.23"
        assert said["Match"] == {"Name": f"rail{rail}"} and said["Link"]["MTUBytes"] == "9000"
        assert said["Network"]["Address"] == f"{address}/31"
        assert said["Route"] == {
            "Destination": "0.0.0.0/0", "Gateway": f"10.128.{rail}.22", "PreferredSource": address,
            "Table": str(100 + rail),
        }  # fmt: skip
        assert said["RoutingPolicyRule"] == {
            "From": f"{address}/32",
            "Table": str(100 + rail),
            "Priority": "1000",
        }


def test_kernel_parameters_of_every_rail(roce: Recorded) -> None:
    asked = roce.asked["h100-1"][SET_KERNEL]
    values = {"arp_ignore": 1, "arp_announce": 2, "rp_filter": 2}
    assert asked["values"] == {
        f"net.ipv4.conf.rail{i}.{key}": v for i in range(2) for key, v in values.items()
    }


def test_the_network_service_is_reloaded_when_a_file_changes(roce: Recorded) -> None:
    (unit,) = roce.asked["h100-0"]["rails: Route each rail by its own table"]["units"]
    assert unit["name"] == "systemd-networkd.service" and unit["on_change"] == "reload"
    assert unit["files"] == [FILE.format(0), FILE.format(1)]


def test_other_transports_and_shared_networks_are_left_alone(lab: Recorded, machines: Recorded) -> None:
    for recorded in (lab, machines):
        assert not [task for asked in recorded.asked.values() for task in asked if task.startswith("rails:")]


def test_two_rails_with_one_interface_stop_the_play(tmp_path: Path) -> None:
    contract = routed()
    node = contract.nodes[1]
    same = node.rails[1].model_copy(update={"nics": node.rails[0].nics})
    nodes = [contract.nodes[0], node.model_copy(update={"rails": [node.rails[0], same]}), *contract.nodes[2:]]
    bad = record(
        tmp_path / "checkout",
        contract.model_copy(update={"nodes": nodes}).sealed(),
        container=False,
        tags="rails",
    )
    told = [one.message for name, one in bad.collector.nodes.items() if name == "h100-0"]
    assert "Two rails alike" in told[0], told


NETWORKD = Path("/lib/systemd/systemd-networkd")
WAIT_S = 10
SCRIPT = """set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys
mount -t sysfs -o ro sysfs /sys
mkdir -p /run/systemd/network
cp {files}/*.network /run/systemd/network/
for rail in 0 1; do
  ip link add rail$rail type veth peer name leaf$rail
  ip link set leaf$rail mtu 9216 up
done
{kernel}
SYSTEMD_LOG_TARGET=null {networkd} &
for turn in $(seq {turns}); do
  [ "$(ip rule | grep -c 'lookup 10[01]')" = 2 ] && [ -n "$(ip route show table 101)" ] && break
  sleep 0.1
done
ip -o addr show dev rail0
for rail in 0 1; do ip route get 10.128.1.99 from 10.128.$rail.23; done
cat /sys/class/net/rail1/mtu
"""
"""In namespaces of its own; a read-only /sys tells networkd, as in a container, not to wait for udev."""


@pytest.mark.skipif(
    os.geteuid() != 0 or not NETWORKD.exists(),
    reason="runs systemd-networkd in namespaces of its own: needs root",
)
def test_systemd_networkd_makes_of_the_files_what_they_are_for(roce: Recorded, tmp_path: Path) -> None:
    """Each rail leaves by itself and asks its own leaf, whatever the destination."""
    for rail in range(2):
        (tmp_path / Path(FILE.format(rail)).name).write_text(roce.text("h100-0", FILE.format(rail)))
    values = roce.asked["h100-0"][SET_KERNEL]["values"]
    kernel = "\n".join(f"echo {value} > /proc/sys/{key.replace('.', '/')}" for key, value in values.items())
    script = SCRIPT.format(files=tmp_path, networkd=NETWORKD, kernel=kernel, turns=10 * WAIT_S)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script],
        text=True, capture_output=True, check=False, timeout=3 * WAIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "inet 10.128.0.23/31" in done.stdout and done.stdout.splitlines()[-1] == "9000"
    assert "via 10.128.0.22 dev rail0 table 100" in done.stdout, done.stdout
    assert "via 10.128.1.22 dev rail1 table 101" in done.stdout, done.stdout
