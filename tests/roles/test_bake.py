"""The playbook that makes images: it installs all that a node's roles would, and leaves nothing of a cluster."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.conftest import ROOT, Recorded, checkout, whole_cluster

from railbed.configure import image, runner
from railbed.configure.bake import PLAYBOOK
from railbed.configure.events import Collector
from railbed.configure.redact import Redactor
from railbed.contract import Contract
from railbed.defaults import HEALTH_REPORT_PREFIX

NODE = "h100-0"
PACKAGES = "packages: Install the packages of all roles"
FACTS = {
    "ansible_virtualization_tech_guest": ["kvm"], "ansible_distribution": "Ubuntu", "ansible_distribution_version": "24.04",
    "ansible_kernel": "6.8.0-45-generic", "ansible_all_ipv4_addresses": ["127.0.0.1", "192.0.2.7"],
    "_ansible_facts_gathered": True,
}  # fmt: skip


def bake(folder: Path, contract: Contract) -> Recorded:
    """Runs the playbook over recorders, on a machine in the place of a node."""
    work = checkout(folder, contract)
    shutil.copy(ROOT / "tests/roles/recorder.py", folder / "actions/sealed.py")
    facts = work.runner_dir / "facts" / contract.hash[:12]
    facts.mkdir(parents=True)
    (facts / f"s1_{NODE}").write_text(json.dumps({"__payload__": json.dumps(FACTS)}))
    source = work.runner_dir / "image.railbed.yaml"
    source.write_text(f"plugin: railbed\nstack: {work.stack}\nimage: {NODE}\n")
    recorded = Recorded(Collector([NODE]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_ACTION_PLUGINS", str(folder / "actions"))
        runner.play(
            work, PLAYBOOK, source, [NODE], contract_hash=contract.hash, options="--check --connection local",
            forks=1, redactor=Redactor([]), take=recorded.take,
        )  # fmt: skip
    assert recorded.collector.finished and not recorded.collector.nodes[NODE].message, (
        recorded.collector.nodes
    )
    return recorded


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """An image for the nodes of `machines`."""
    yield bake(tmp_path_factory.mktemp("baked") / "checkout", whole_cluster())


def test_a_node_from_the_image_has_nothing_to_install(baked: Recorded, machines: Recorded) -> None:
    image_has, node_needs = baked.asked[NODE][PACKAGES], machines.asked[NODE][PACKAGES]
    assert set(node_needs["packages"]) == set(image_has["packages"])
    assert node_needs["hold"] == image_has["hold"]


def test_what_image_and_node_write_in_one_place_is_the_same(baked: Recorded, machines: Recorded) -> None:
    """So that a node's first run changes nothing that its image has already."""
    others = {"/etc/railbed/expectations.json", "/etc/machine-id", "/etc/railbed/image.json", "/etc/hosts"}
    both = set(baked.files[NODE]) & set(machines.files[NODE]) - others
    assert {"/etc/apt/sources.list.d/railbed.sources", "/etc/enroot/enroot.conf"} <= both
    assert not [path for path in both if baked.files[NODE][path] != machines.files[NODE][path]]


def test_a_health_check_without_a_result_is_reported_like_one_with(baked: Recorded) -> None:
    wrapper = baked.text(NODE, "/opt/railbed/checks/healthcheck")
    assert f"mark='{HEALTH_REPORT_PREFIX}'" in wrapper
    assert "\nnice -n 10 timeout --kill-after=2 " in wrapper, "threads of jobs come first (adr 0023)"


def test_no_word_of_the_cluster_comes_into_the_image(baked: Recorded) -> None:
    """Programs that are the same everywhere may give examples with such words."""
    contract = whole_cluster()
    words = {contract.domain, *contract.admins.values()}
    words |= {node.address for node in contract.nodes} | {
        rail.address for node in contract.nodes for rail in node.rails
    }
    words |= {key for node in contract.nodes for key in node.ssh.host_keys} | {"ctl0", NODE}
    programs = "/opt/railbed/checks/"
    asked = {path: want for path, want in baked.files[NODE].items() if not path.startswith(programs)}
    text = json.dumps([asked, [one for task, one in baked.asked[NODE].items() if "files" not in one]])
    assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", text)]
    assert "secrets" not in text


def test_the_stamp_says_what_the_image_is(baked: Recorded) -> None:
    stamp = json.loads(baked.text(NODE, "/etc/railbed/image.json"))
    assert stamp["schema"] == "railbed/image/v1" and stamp["release"] == "2026.12"
    assert stamp["system"] == "ubuntu 24.04" and stamp["machine"] == "lab/rail2" and not stamp["simulated"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", stamp["date"])
    used = re.findall(r"import_role: {name: (\w+)", (ROOT / "playbooks" / PLAYBOOK).read_text())
    assert sorted(stamp["roles"]) == sorted(set(used))
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in stamp["roles"].values())
    assert len(set(stamp["roles"].values())) == len(stamp["roles"])


def test_the_seal_comes_last_and_looks_for_the_machines_own_address(baked: Recorded) -> None:
    assert list(baked.asked[NODE])[-1] == "seal: Look for what should be gone"
    assert baked.asked[NODE]["seal: Look for what should be gone"]["words"] == ["192.0.2.7"]
    removed = baked.asked[NODE]["seal: Take away what belongs to one machine"]["remove"]
    assert {"/etc/ssh/ssh_host_*", "/etc/munge/munge.key", "/var/lib/apt/lists/*"} <= set(removed)
    assert baked.files[NODE]["/etc/machine-id"]["content"] == ""


def test_an_image_takes_a_nodes_groups_and_none_of_its_place() -> None:
    groups = image.inventory(whole_cluster(), NODE).groups
    assert {
        "gpu_nodes",
        "slurm_nodes",
        "moosefs_data",
        "dcgm_nodes",
        "rdma_nodes",
    } <= set(groups)
    assert not [
        name for name in groups if name.startswith(("pool_", "role_", "unaccepted", "slurm_controllers"))
    ]
    assert "training_fetched" not in groups, "a lab shows its hosts a copy"


def test_an_image_knows_kinds_of_filesystems_and_not_their_places() -> None:
    found = image.inventory(whole_cluster(), NODE)
    assert found.variables["railbed_mounts"] == [{"kind": "moosefs"}]
    assert "ansible_host" not in found.hostvars[NODE]


def test_every_play_of_the_image_checks_its_arguments() -> None:
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / "playbooks" / PLAYBOOK).read_text())
    assert plays.pop()["ansible.builtin.import_playbook"] == "end.yml"
    for play in plays:
        roles = [task["ansible.builtin.import_role"] for task in play["tasks"]]
        checked = "tasks/arguments.yml" in str(play.get("pre_tasks"))
        assert checked or all(role.get("rolespec_validate", True) for role in roles), play["name"]
        assert "when" not in str(play), play["name"]
