"""The program of role lnet that gives an address of the storage network: stand-ins for ip, networkctl and arping, a
made sysfs. Real probes: `test_storage_probe.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/lnet/files/storage_link.py"
FILE = "run/systemd/network/04-railbed-storage.network"
ADDRESS = "10.82.0.11/16"
RAILS = [[f"mlx5_{at}"] for at in range(8)]
PROGRAMS = """#!/bin/sh
echo "$(basename "$0") $*" >> {folder}/log
case "$(basename "$0") $*" in
"ip -json -4 address show") cat {folder}/addresses ;;
"ip link add "*) d={folder}/sys/class/net/$6; mkdir -p $d; echo ib0 > $d/parent; echo 0x1002 > $d/flags; echo 1 > $d/carrier ;;
"ip link delete "*) rm -r {folder}/sys/class/net/$4 ;;
"arping "*) cat {folder}/arping; exit "$(cat {folder}/arping.status)" ;;
"networkctl reload") if [ -f {folder}/after ]; then cp {folder}/after {folder}/addresses; else echo "no bus" >&2; exit 1; fi ;;
esac
"""


FREE = """ARPING 10.82.0.11 from 0.0.0.0 ibp65s0
Sent 3 probes (3 broadcast(s))
Received 0 response(s)
"""
TAKER = ":".join(
    ["80", "00", "08", "4A", "FE", "80", *["00"] * 6, "94", "6D", "AE", "03", "00", "A1", "B2", "C0"]
)
TAKEN = f"""ARPING 10.82.0.11 from 0.0.0.0 ibp65s0
Unicast reply from 10.82.0.11 [{TAKER}]  0.632ms
Sent 1 probes (1 broadcast(s))
Received 1 response(s)
"""
"""What iputils 20221126 prints, built from its source; an IPoIB address has 20 bytes (RFC 4391, 9.1.1)."""


class Node:
    """A machine made of files; ``networkctl reload`` gives an interface what the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name in ("ip", "networkctl", "arping"):
            program = folder / "bin" / name
            program.write_text(PROGRAMS.format(folder=folder))
            program.chmod(0o755)
        (folder / "addresses").write_text("[{}]")
        self.answers(FREE, 0)

    def answers(self, words: str, status: int) -> None:
        (self.folder / "arping").write_text(words)
        (self.folder / "arping.status").write_text(f"{status}\n")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def card(self, name: str, device: str, *, link: bool = True, kind: int = 32, up: bool = True) -> None:
        folder = self.folder / "sys/class/net" / name
        port = folder / "device/infiniband" / device / "ports/1"
        port.mkdir(parents=True)
        (port / "state").write_text("4: ACTIVE\n" if link else "1: DOWN\n")
        (folder / "type").write_text(f"{kind}\n")
        (folder / "dev_port").write_text("0\n")
        (folder / "flags").write_text("0x1003\n" if up else "0x1002\n")
        (folder / "carrier").write_text("1\n" if link else "0\n")

    def rails(self, *, link: bool = True) -> None:
        for at, (device,) in enumerate(RAILS):
            self.card(f"ibp{at + 10}s0", device, link=link)

    def has(self, name: str, file: str = "addresses") -> None:
        address, prefix = ADDRESS.split("/")
        told = [{"ifname": name, "addr_info": [{"local": address, "prefixlen": int(prefix)}]}]
        (self.folder / file).write_text(json.dumps(told))

    def run(
        self, interface: str = "auto", rails: list[list[str]] = RAILS, pkey: int = 0
    ) -> subprocess.CompletedProcess[str]:
        settings = self.folder / "settings.json"
        link = {"address": ADDRESS, "interface": interface, "rails": rails, "pkey": pkey}
        settings.write_text(json.dumps({"link": link}))
        return subprocess.run(
            [sys.executable, "-I", PROGRAM, settings, self.folder, "0.2"], text=True, capture_output=True, check=False,
            timeout=60,
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
        )  # fmt: skip

    @property
    def written(self) -> str:
        path = self.folder / FILE
        return path.read_text() if path.exists() else ""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_the_card_that_is_no_rail_s_gets_it(node: Node) -> None:
    node.rails()
    node.card("ibp65s0", "mlx5_8")
    node.card("ibp66s0", "mlx5_9", link=False)
    node.card("eth0", "mlx5_10", kind=1)
    node.has("ibp65s0", "after")
    done = node.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Name=ibp65s0\n" in node.written and f"Address={ADDRESS}\n" in node.written
    assert "[IPoIB]\nMode=datagram\n" in node.written and "MTU" not in node.written
    assert "arping -D -c 3 -I ibp65s0 10.82.0.11\n" in node.log and "link set" not in node.log
    again = node.log.count("networkctl"), node.log.count("arping")
    assert node.run().returncode == 0
    assert (node.log.count("networkctl"), node.log.count("arping")) == again == (1, 1)


def test_a_machine_with_rails_alone_takes_the_first(node: Node) -> None:
    node.rails()
    node.has("ibp10s0", "after")
    assert node.run().returncode == 0 and "Name=ibp10s0\n" in node.written


def test_a_controller_with_one_card_needs_no_name(node: Node) -> None:
    node.card("ib0", "mlx5_0")
    node.has("ib0", "after")
    assert node.run(rails=[]).returncode == 0 and "Name=ib0\n" in node.written


@pytest.mark.parametrize(
    ("said", "name"), [("rail-3", "ibp13s0"), ("mlx5_8", "ibp65s0"), ("ibp65s0", "ibp65s0")]
)
def test_what_is_named_is_taken(node: Node, said: str, name: str) -> None:
    node.rails()
    node.card("ibp65s0", "mlx5_8")
    node.card("ibp66s0", "mlx5_9")
    node.has(name, "after")
    assert node.run(said).returncode == 0 and f"Name={name}\n" in node.written


def test_an_ethernet_card_is_taken_by_name_alone_and_is_no_ipoib(node: Node) -> None:
    node.card("ens1", "mlx5_0", kind=1)
    node.has("ens1", "after")
    assert node.run("ens1", rails=[]).returncode == 0
    assert "Name=ens1\n" in node.written and "IPoIB" not in node.written


@pytest.mark.parametrize("said", ["rail-0", "mlx5_0", "enp1s0np0"])
def test_an_ethernet_rail_keeps_its_network_however_it_is_named(node: Node, said: str) -> None:
    node.card("enp1s0np0", "mlx5_0", kind=1)
    node.card("enp2s0np0", "mlx5_1", kind=1)
    rail = node.folder / "etc/systemd/network/05-railbed-enp1s0np0.network"
    rail.parent.mkdir(parents=True)
    rail.write_text("[Match]\nName=enp1s0np0\n")
    refused(node, "enp1s0np0 is an Ethernet rail", said, [["mlx5_0"]])
    node.has("enp2s0np0", "after")
    assert node.run("enp2s0np0", [["mlx5_0"]]).returncode == 0 and "Name=enp2s0np0\n" in node.written


def refused(node: Node, told: str, interface: str = "auto", rails: list[list[str]] = RAILS) -> None:
    done = node.run(interface, rails)
    assert done.returncode == 1 and told in done.stderr, done.stderr
    assert node.written == ""


def test_two_that_may_be_it_are_named_and_nothing_is_set(node: Node) -> None:
    node.rails()
    node.card("ibp65s0", "mlx5_8")
    node.card("ibp66s0", "mlx5_9")
    refused(
        node, "may be on any of ibp65s0 (mlx5_8, link), ibp66s0 (mlx5_9, link): name one (`storage_interface`"
    )


def test_storage_cards_without_a_link_are_not_replaced_by_a_rail(node: Node) -> None:
    node.rails()
    node.card("ibp65s0", "mlx5_8", link=False)
    refused(node, "none has a link: ibp65s0 (mlx5_8, no link)")


def test_unknown_rails_leave_a_choice(node: Node) -> None:
    node.rails()
    refused(node, "the rails of this node are not known", rails=[[] for _ in RAILS])


def test_a_machine_without_infiniband_is_told_its_ways_out(node: Node) -> None:
    node.card("ens1", "mlx5_0", kind=1)
    refused(node, "`storage_network: {controllers: false, …}`", rails=[])


@pytest.mark.parametrize(
    ("said", "told"),
    [("rail-9", "no card of rail 9"), ("ib7", "ib7 is no interface with an RDMA device; there are ibp10s0")],
)
def test_what_is_named_and_not_there(node: Node, said: str, told: str) -> None:
    node.rails()
    refused(node, told, said)


def test_an_address_that_another_interface_has_moves_at_a_boot(node: Node) -> None:
    node.rails()
    node.has("ibp11s0")
    refused(node, f"ibp11s0 has {ADDRESS} already, and ibp10s0 should: boot the machine", "rail-0")


def test_without_networkd_it_fails_with_its_words(node: Node) -> None:
    node.rails()
    done = node.run()
    assert done.returncode == 1 and "networkctl reload: no bus" in done.stderr


def test_an_address_that_does_not_come_fails(node: Node) -> None:
    node.rails()
    (node.folder / "after").write_text("[]")
    done = node.run()
    assert done.returncode == 1 and "ibp10s0 did not get 10.82.0.11/16" in done.stderr


def test_interfaces_of_partitions_are_not_cards(node: Node) -> None:
    node.card("ib0", "mlx5_0")
    node.card("ib0.8012", "mlx5_0")
    (node.folder / "sys/class/net/ib0.8012/parent").write_text("ib0\n")
    node.has("ib0", "after")
    assert node.run(rails=[]).returncode == 0 and "Name=ib0\n" in node.written


def test_an_address_that_another_machine_has_is_refused_by_its_hardware_address(node: Node) -> None:
    node.card("ib0", "mlx5_0", up=False)
    node.answers(TAKEN, 1)
    refused(node, f"10.82.0.11 is taken: {TAKER} answers for it on ib0. Nothing was configured", rails=[])
    assert (
        node.log.index("link set dev ib0 up")
        < node.log.index("arping")
        < node.log.index("link set dev ib0 down")
    )
    assert "networkctl" not in node.log


@pytest.mark.parametrize(
    ("words", "status"),
    [('Interface "ib0" is not ARPable\n', 0), ("arping: Device ib0 not available.\n", 2)],
)
def test_what_could_not_be_asked_is_not_free(node: Node, words: str, status: int) -> None:
    node.card("ib0", "mlx5_0")
    node.answers(words, status)
    refused(node, f"whether 10.82.0.11 is free cannot be asked on ib0: {words.strip()}", rails=[])


def test_without_a_carrier_nobody_is_asked(node: Node) -> None:
    node.card("ens1", "mlx5_0", kind=1, link=False, up=False)
    refused(node, "ens1 has no carrier", "ens1", rails=[])
    assert "arping" not in node.log and "link set dev ens1 down" in node.log


def test_a_partition_has_a_child_of_the_card_that_gets_the_address(node: Node) -> None:
    node.card("ib0", "mlx5_0", up=False)
    node.has("ib0.8021", "after")
    done = node.run(rails=[], pkey=0x21)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ip link add link ib0 name ib0.8021 type ipoib pkey 0x8021\n" in node.log
    assert "ip link set dev ib0.8021 up" in node.log and "arping -D -c 3 -I ib0.8021 " in node.log
    assert "Name=ib0.8021\n" in node.written and "Mode=datagram\n" in node.written
    assert node.run(rails=[], pkey=0x21).returncode == 0 and node.log.count("link add") == 1


def test_a_child_whose_address_is_taken_goes_away_again(node: Node) -> None:
    node.card("ib0", "mlx5_0", up=False)
    node.answers(TAKEN, 1)
    done = node.run(rails=[], pkey=0x21)
    assert (
        done.returncode == 1 and f"{TAKER} answers for it on ib0.8021" in done.stderr and node.written == ""
    )
    assert not (node.folder / "sys/class/net/ib0.8021").exists() and "link set dev ib0 down" in node.log


def test_what_no_child_can_be_made_of_is_refused(node: Node) -> None:
    node.card("ens1", "mlx5_0", kind=1)
    node.card("ibp198s0f0np", "mlx5_1")
    for interface, reason in (("ens1", "ens1 is Ethernet"), ("mlx5_1", "ibp198s0f0np.8021 is too long")):
        done = node.run(interface, [], 0x21)
        assert done.returncode == 1 and reason in done.stderr and node.written == ""
