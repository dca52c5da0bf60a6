"""Role rails: who gets it, and what it writes, and what systemd-networkd makes of that."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import sealed

from railbed.contract import Contract, Node
from railbed.platforms.metal.switches.facts import facts

ROOT = Path(__file__).resolve().parents[2]

FILE = "/etc/systemd/network/05-railbed-rail{}.network"
SET_KERNEL = "rails: Set kernel parameters of the rails"


def routed(**changes: Any) -> Contract:
    """The small cluster on RoCE, each rail a /31 to its leaf."""
    contract = cluster()
    nodes = [_with_links(node) for node in contract.nodes]
    machines = [contract.machines[0].model_copy(update={"transport": "roce", **changes})]
    return sealed(
        contract.model_copy(
            update={"nodes": nodes, "machines": machines, "simulated": False, "hosts": "machine"}
        )
    )


def _with_links(node: Node) -> Node:
    octet = int(node.address.rsplit(".", 1)[1])
    rails = [
        rail.model_copy(update={"address": f"10.128.{rail.index}.{2 * octet + 1}/31"}) for rail in node.rails
    ]
    return node.model_copy(update={"rails": rails})


@pytest.fixture(scope="module")
def roce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield record(tmp_path_factory.mktemp("roce") / "checkout", routed(), container=False, tags="rails,nccl")


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
    unit = roce.asked["h100-0"]["rails: Route each rail by its own table"]["units"][0]
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
        sealed(contract.model_copy(update={"nodes": nodes})),
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


def _lossless() -> Any:
    spec = importlib.util.spec_from_file_location("lossless", ROOT / "roles/rails/files/lossless.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOSSLESS = _lossless()
SETTINGS = "/etc/railbed/rails.json"


def card(root: Path, netdev: str, device: str) -> None:
    """As the kernel shows a card, and the folder that the connection manager makes for it: both stand-ins."""
    (root / "class/infiniband" / device / "device/net" / netdev).mkdir(parents=True)
    (root / "kernel/config/rdma_cm" / device / "ports/1").mkdir(parents=True)


@pytest.fixture
def dcb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in of iproute2's program that notes what it is asked; it knows no interface called `gone`."""
    said = tmp_path / "said"
    program = tmp_path / "bin/dcb"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {said}\ncase "$*" in *gone*) echo "No such device" >&2; exit 1;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return said


def test_cards_get_the_class_that_the_leaves_keep_lossless(roce: Recorded, dcb: Path, tmp_path: Path) -> None:
    """From the role's own settings, which are those of the switches."""
    settings, root = tmp_path / "rails.json", tmp_path / "sys"
    settings.write_text(roce.text("h100-0", SETTINGS))
    for rail in range(2):
        card(root, f"rail{rail}", f"mlx5_{rail}")
    assert LOSSLESS.main(settings, root) == 0
    known = facts()
    app = f"dscp-prio {known.roce_dscp}:{known.roce_priority} {known.cnp_dscp}:{known.cnp_priority}"
    assert dcb.read_text().splitlines() == [
        line
        for rail in range(2)
        for line in (
            f"app replace dev rail{rail} {app}",
            f"pfc set dev rail{rail} prio-pfc all:off {known.roce_priority}:on",
        )
    ]
    port = root / "kernel/config/rdma_cm/mlx5_1/ports/1"
    assert (port / "default_roce_mode").read_text() == "RoCE v2"
    assert (port / "default_roce_tos").read_text() == str(known.roce_dscp * 4)


WANT = {"links": ["rail0"], "priority": 3, "dscp": 26, "cnp_priority": 6, "cnp_dscp": 48}


def test_the_driver_s_switches_of_congestion_control_are_on(dcb: Path, tmp_path: Path) -> None:
    """Files of NVIDIA's driver, made: DOCA 2.10, Explicit Congestion Notification."""
    settings, root = tmp_path / "rails.json", tmp_path / "sys"
    settings.write_text(json.dumps(WANT))
    card(root, "rail0", "mlx5_0")
    ecn = root / "class/net/rail0/ecn"
    for point in ("roce_np", "roce_rp"):
        (ecn / point / "enable").mkdir(parents=True)
        for priority in range(8):
            (ecn / point / "enable" / str(priority)).write_text("0")
    assert LOSSLESS.main(settings, root) == 0
    for point in ("roce_np", "roce_rp"):
        on = {one.name for one in (ecn / point / "enable").iterdir() if one.read_text() == "1"}
        assert on == {"3"}, point
    assert (ecn / "roce_np/cnp_dscp").read_text() == "48" and (
        ecn / "roce_np/cnp_802p_prio"
    ).read_text() == "6"


def test_the_kernel_s_own_driver_is_told_the_notices_dscp_alone(
    dcb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, root = tmp_path / "rails.json", tmp_path / "sys"
    settings.write_text(json.dumps(WANT))
    card(root, "rail0", "mlx5_0")
    real = tmp_path / "0000:1a:00.0"
    (root / "class/infiniband/mlx5_0/device").rename(real)
    (root / "class/infiniband/mlx5_0/device").symlink_to(real)
    dscp = root / "kernel/debug/mlx5/0000:1a:00.0/cc_params/np_cnp_dscp"
    dscp.parent.mkdir(parents=True)
    dscp.write_text("46\n")
    assert LOSSLESS.main(settings, root) == 0 and dscp.read_text() == "48"
    dscp.unlink()
    assert LOSSLESS.main(settings, root) == 0, "a kernel in lockdown shows no debugfs"
    dscp.mkdir()
    (root / "class/net/rail0/ecn/roce_np").mkdir(parents=True)
    assert LOSSLESS.main(settings, root) == 1
    assert "roce_np/enable/3 does not take '1'" in capsys.readouterr().err


def test_a_card_that_cannot_be_set_is_named_and_the_others_are_set(
    dcb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, root = tmp_path / "rails.json", tmp_path / "sys"
    want = {"links": ["gone", "plain", "rail0"], "priority": 3, "dscp": 26, "cnp_priority": 6, "cnp_dscp": 48}
    settings.write_text(json.dumps(want))
    card(root, "rail0", "mlx5_0")
    assert LOSSLESS.main(settings, root) == 1
    said = capsys.readouterr().err
    assert "gone" in said and "No such device" in said and "plain has no RDMA device" in said
    assert (root / "kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos").read_text() == "104"


def test_nccl_marks_its_packets_as_the_switches_expect(roce: Recorded) -> None:
    assert f"NCCL_IB_TC={facts().roce_dscp * 4}\n" in roce.text("h100-0", "/etc/nccl.conf")


def test_classes_are_set_before_jobs_come_and_again_when_they_change(roce: Recorded) -> None:
    units = roce.asked["h100-0"]["rails: Route each rail by its own table"]["units"]
    assert units[1]["name"] == "railbed-rails.service" and SETTINGS in units[1]["files"]
    assert "Before=slurmd.service\n" in roce.text("h100-0", "/etc/systemd/system/railbed-rails.service")


LINK = {"index": 0, "netdev": "rail0", "address": "10.0.0.1/31", "gateway": "10.0.0.0", "mtu": 9000}


def test_what_is_refused_of_classes_and_slots(tmp_path: Path) -> None:
    told = {"rails_links": [LINK, {**LINK, "index": 1, "netdev": "rail1", "address": "10.0.1.1/31"}]}
    slot = "pci-0000:18:00.0"
    cases = [
        Case("slots", "rails", {**told, "rails_paths": {"rail0": slot, "rail1": "pci-0000:19:00.0"}}),
        Case("one slot twice", "rails", {**told, "rails_paths": {"rail0": slot, "rail1": slot}}, "a slot of its own"),
        Case("no such rail", "rails", {**told, "rails_paths": {"rail9": slot}}, "a slot of its own"),
        Case("one class", "rails", {**told, "rails_cnp_priority": 3}, "two priorities"),
        Case("a DSCP of seven bits", "rails", {**told, "rails_roce_dscp": 104}, "two DSCP values"),
    ]  # fmt: skip
    answers = ask(cases, tmp_path)
    for one in cases:
        assert (one.says in answers[one.name]) if one.says else answers[one.name] == "", one.name
