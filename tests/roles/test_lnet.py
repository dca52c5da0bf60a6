"""Role lnet's program, with programs that stand in for lnetctl, ip and modprobe, and a made tree of sysfs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/lnet/files/lnet.py"
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$(basename "$0") $*" in
"ip -json -4 address show") cat {folder}/addresses ;;
"ip -json route get"*) cat {folder}/way ;;
"ip -json route show default") echo '[{{"dst": "default", "dev": "enp71s0"}}]' ;;
"lnetctl net show") cat {folder}/shown ;;
"lnetctl udsp show") cat {folder}/udsp ;;
esac
"""
TCP = """net:
    - net type: tcp
      local NI(s):
        - nid: 10.1.1.61@tcp
          interfaces:
              0: enp71s0
"""


class Node:
    """A node made of files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        (folder / "bin").mkdir()
        for name in ("lnetctl", "ip", "modprobe"):
            program = folder / "bin" / name
            program.write_text(FAKE.format(log=self.log, folder=folder))
            program.chmod(0o755)
        self.say(addresses="[]", way='[{"dev": "eth0"}]', shown="net:\n", udsp="")

    def say(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / name).write_text(text)

    def interface(self, name: str, *, rdma: bool) -> None:
        folder = self.folder / "sys/class/net" / name / "device"
        (folder / "infiniband/mlx5_0" if rdma else folder).mkdir(parents=True)

    def child(self, name: str, parent: str) -> None:
        """A partition's interface as the kernel shows one that netlink made: no device, the number of its parent."""
        for at, one in enumerate((parent, name), start=1):
            (self.folder / "sys/class/net" / one).mkdir(parents=True, exist_ok=True)
            (self.folder / "sys/class/net" / one / "ifindex").write_text(f"{at}\n")
        (self.folder / "sys/class/net" / name / "iflink").write_text("1\n")

    def card(self, name: str, bus: int, driver: str = "efa") -> None:
        at = self.folder / f"sys/devices/pci0000:{bus:02x}/0000:{bus:02x}:00.0"
        at.mkdir(parents=True)
        (self.folder / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True, exist_ok=True)
        (at / "driver").symlink_to(self.folder / f"sys/bus/pci/drivers/{driver}")
        device = self.folder / "sys/class/infiniband" / name
        device.mkdir(parents=True)
        (device / "device").symlink_to(at)

    def run(self, *networks: dict[str, object], most: int = 8) -> subprocess.CompletedProcess[str]:
        settings = self.folder / "settings.json"
        settings.write_text(
            json.dumps({"networks": networks, "efa_interfaces": most, "efa_peer_credits": 32})
        )
        return subprocess.run(
            [sys.executable, "-I", PROGRAM, settings, self.folder], text=True, capture_output=True, check=False, timeout=60,
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
        )  # fmt: skip

    def asked(self, start: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(start)]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


O2IB = {"name": "scratch", "net": "o2ib", "servers": ["10.80.250.1"]}
EFA = {"name": "scratch", "net": "efa", "servers": []}
ADDRESSES = json.dumps(
    [
        {"ifname": "eth0", "addr_info": [{"local": "10.80.250.7", "prefixlen": 24}]},
        {"ifname": "ib0", "addr_info": [{"local": "10.80.250.8", "prefixlen": 24}]},
        {"ifname": "ib1", "addr_info": [{"local": "10.80.250.9", "prefixlen": 24}]},
        {"ifname": "ib2", "addr_info": [{"local": "10.99.0.9", "prefixlen": 24}]},
    ]
)


def test_interfaces_with_rdma_in_the_servers_network_join_before_lustre_loads(node: Node) -> None:
    for name in ("ib0", "ib1", "ib2"):
        node.interface(name, rdma=True)
    node.interface("eth0", rdma=False)
    node.say(addresses=ADDRESSES)
    done = node.run(O2IB)
    assert (done.returncode, done.stderr) == (0, "")
    assert node.asked("lnetctl net add") == [f"lnetctl net add --net o2ib --if ib{at}" for at in (0, 1)]
    steps = node.log.read_text().splitlines()
    assert steps.index("modprobe lustre") > steps.index("lnetctl net add --net o2ib --if ib1")


@pytest.mark.parametrize("rdma", [True, False])
def test_a_partitions_interface_has_the_rdma_device_of_its_parent(node: Node, rdma: bool) -> None:
    node.say(
        addresses=json.dumps(
            [{"ifname": "ib0.8021", "addr_info": [{"local": "10.80.250.8", "prefixlen": 24}]}]
        )
    )
    node.say(way='[{"dev": "ib0.8021"}]')
    node.interface("ib0", rdma=rdma)
    node.child("ib0.8021", "ib0")
    done = node.run(O2IB)
    if rdma:
        assert done.returncode == 0 and "--if ib0.8021" in node.log.read_text()
    else:
        assert done.returncode == 1 and "ib0.8021, which has no RDMA device" in done.stderr


def test_a_second_run_adds_nothing(node: Node) -> None:
    node.interface("ib0", rdma=True)
    node.say(
        addresses=json.dumps(json.loads(ADDRESSES)[1:2]),
        shown="net:\n    - net type: o2ib\n      local NI(s):\n        - nid: 10.80.250.8@o2ib\n          interfaces:\n"
        "              0: ib0\n",
    )
    assert node.run(O2IB).returncode == 0 and node.asked("lnetctl net add") == []


def test_the_way_to_servers_in_another_network_counts(node: Node) -> None:
    node.interface("ib2", rdma=True)
    node.say(way='[{"dev": "ib2"}]')
    assert node.run(O2IB).returncode == 0
    assert node.asked("lnetctl net add") == ["lnetctl net add --net o2ib --if ib2"]


def test_without_rdma_it_fails_and_does_not_go_over_tcp(node: Node) -> None:
    node.interface("eth0", rdma=False)
    done = node.run(O2IB)
    assert done.returncode == 1 and "is eth0, which has no RDMA device" in done.stderr
    assert node.asked("lnetctl net add") == [] and node.asked("modprobe lustre") == []


def test_efa_comes_beside_tcp_and_is_preferred(node: Node) -> None:
    for at in range(32):
        node.card(f"rdmap{at}s0", at)
    node.card("mlx5_0", 40, driver="mlx5_core")
    done = node.run(EFA)
    assert (done.returncode, done.stderr) == (0, "")
    adds = node.asked("lnetctl net add")
    assert adds[0] == "lnetctl net add --net tcp --if enp71s0"
    assert adds[1:] == [
        f"lnetctl net add --net efa --if rdmap{at}s0 --peer-credits 32" for at in range(0, 32, 4)
    ]
    assert "modprobe kefalnd ipif_name=enp71s0" in node.asked("modprobe")
    assert node.asked("lnetctl udsp add") == ["lnetctl udsp add --src efa --priority 0"]
    assert node.asked("lnetctl set") == ["lnetctl set discovery 1"]


def test_what_efa_has_already_stays(node: Node) -> None:
    node.card("efa_0", 1)
    node.say(
        shown=TCP + "    - net type: efa\n      local NI(s):\n        - nid: 1.61.92.0@efa\n          interfaces:\n"
        "              0: efa_0\n", udsp="udsp:\n    - idx: 0\n      src: efa\n",
    )  # fmt: skip
    assert node.run(EFA).returncode == 0
    assert node.asked("lnetctl net add") == [] and node.asked("lnetctl udsp add") == []


def test_without_cards_it_fails(node: Node) -> None:
    done = node.run(EFA)
    assert done.returncode == 1 and "no EFA device is there" in done.stderr
