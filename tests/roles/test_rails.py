"""Role rails: who gets it, and what it writes, and what systemd-networkd makes of that."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from tests.roles import local
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import sealed
from tests.unit.configure import modules

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


def test_a_card_keeps_its_name_by_its_slot() -> None:
    text = (ROOT / "roles/rails/templates/rail.link.j2").read_text()
    made = jinja2.Template(text).render(rails_link=LINK, rails_paths={"rail0": "pci-0000:18:00.0"})
    assert sections(made) == {"Match": {"Path": "pci-0000:18:00.0"}, "Link": {"Name": "rail0"}}


SLOT = "pci-0000:18:00.0"
ANSWER = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {{"changed": False, "reasons": [], "names": {names}}}
"""


def configured(folder: Path, names: list[str], paths: dict[str, str]) -> tuple[str, list[str], str]:
    """The role's tasks on a node whose cards have these faults: how it ended, what was asked of modules, and what was said."""
    actions = folder / "actions"
    actions.mkdir(parents=True)
    for module in ("tree", "sysctls"):
        shutil.copy(ROOT / "tests/roles/recorder.py", actions / f"{module}.py")
    (actions / "reboot_required.py").write_text(ANSWER.format(names=names))
    asked = []

    def take(event: dict[str, Any]) -> bool:
        data = event.get("event_data") or {}
        if event["event"] == "runner_on_ok" and data["task_action"] in ("tree", "sysctls"):
            asked.extend(data["res"]["asked"].get("files") or ["sysctls"])
        return False

    done = local.play(
        folder, local.role("rails"), settings={"ANSIBLE_ACTION_PLUGINS": str(actions)}, event_handler=take,
        extravars={"rails_links": [LINK], "rails_paths": paths},
    )  # fmt: skip
    return done.status, asked, done.stdout.read()


def test_names_are_written_first_and_nothing_is_set_before_they_are_the_cards(tmp_path: Path) -> None:
    link = FILE.format(0).replace(".network", ".link")
    status, asked, said = configured(
        tmp_path / "yet", ["rail0 is not the card in x, but nothing"], {"rail0": SLOT}
    )
    assert status == "failed" and asked == [link]
    assert "rail0 is not the card in x, but nothing. Names take effect at the next boot" in said
    status, asked, said = configured(tmp_path / "booted", [], {"rail0": SLOT})
    assert status == "successful", said
    assert asked[:3] == [link, "sysctls", FILE.format(0)] and asked.count(link) == 1
    status, asked, said = configured(tmp_path / "told none", ["never asked"], {})
    assert status == "successful" and asked[:2] == ["sysctls", FILE.format(0)], said


@pytest.mark.parametrize(
    ("paths", "left"), [({}, ["rail0", "rail1"]), ({"rail0": SLOT}, ["rail1"]), (None, ["rail0", "rail1"])]
)
def test_a_card_that_may_not_have_its_name_yet_is_not_asked_for_it_before(
    paths: dict[str, str] | None, left: list[str], tmp_path: Path
) -> None:
    mapping = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())
    told = {"railbed_links": {"rail0": 9000, "rail1": 9000}, "tuning_rails": mapping["tuning_rails"]}
    if paths is not None:
        told["railbed_rail_paths"] = paths
    play = {
        "hosts": "all", "gather_facts": False, "vars": told,
        "tasks": [{"name": "Links", "ansible.builtin.assert": {"that": f"tuning_rails.keys() | list == {left}"}}],
    }  # fmt: skip
    done = local.play(tmp_path, [play])
    assert done.status == "successful", done.stdout.read()


BOOT = modules.load("reboot_required")
BOOTED = 1_700_000_000


@pytest.mark.parametrize(
    ("slot", "written", "wrong", "boots"),
    [
        (SLOT, BOOTED + 60, "", False),
        (None, BOOTED + 60, f"rail0 is not the card in {SLOT}, but nothing", True),
        ("pci-0000:19:00.0", BOOTED + 60, f"rail0 is not the card in {SLOT}, but pci-0000:19:00.0", True),
        ("", BOOTED + 60, f"rail0 is not the card in {SLOT}, but a card without a slot", True),
        (None, BOOTED - 60, f"rail0 is not the card in {SLOT}, but nothing", False),
    ],
)
def test_a_name_that_waits_for_a_boot_is_a_reason_for_one(
    slot: str | None, written: int, wrong: str, boots: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boot that was since could not give the name, so another one would not either."""
    file = tmp_path / FILE.format(0).replace(".network", ".link").lstrip("/")
    file.parent.mkdir(parents=True)
    text = (ROOT / "roles/rails/templates/rail.link.j2").read_text()
    file.write_text(jinja2.Template(text).render(rails_link=LINK, rails_paths={"rail0": SLOT}))
    os.utime(file, (written, written))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(f"cpu 1 2\nbtime {BOOTED}\nprocesses 9\n")
    if slot is not None:
        (tmp_path / "sys/class/net/rail0").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    told = f"\\nID_PATH={slot}" if slot else ""
    modules.program(tmp_path / "bin", "udevadm", f"print('ID_BUS=pci{told}')\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    said = modules.call(BOOT, root=str(tmp_path), release="6.1.0")
    assert said["names"] == ([wrong] if wrong else [])
    assert said["reasons"] == ([wrong] if boots else [])
