"""Contract → groups and variables, and the contracts that are refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.contracts import sealed

from railbed import contract as contracts
from railbed.configure import health, inventory, stack
from railbed.configure.inventory import Paths, build, narrowed
from railbed.contract import Contract, File, expectations
from railbed.defaults import NODE_REPOSITORY
from railbed.effects import contract_store, places
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError
from railbed.plan import node_classes

ROOT = Path(__file__).resolve().parents[3]
PATHS = Paths(ssh_config=Path("/work tree/ssh/config"), secrets=Path("/work tree/secrets"))


def without(contract: Contract, *names: str) -> Contract:
    nodes = [n for n in contract.nodes if n.name not in names]
    return contract.model_copy(update={"nodes": nodes}).sealed()


def test_groups_follow_role_pool_machine_and_filesystem(contract: Contract) -> None:
    groups = build(contract, {}, PATHS).groups
    assert groups["role_controller"] == ["ctl0"]
    assert groups["role_compute"] == ["h100-0", "h100-1"]
    assert groups["role_spare"] == ["h100-2"]
    assert groups["gpu_nodes"] == ["h100-0", "h100-1", "h100-2"]
    assert groups["pool_h100"] == groups["machine_lab_rail2"] == groups["gpu_nodes"]
    assert groups["scheduler_slurm"] == groups["filesystem_clients"] == ["ctl0", "h100-0", "h100-1", "h100-2"]
    assert groups["slurm_controllers"] == ["ctl0"] and groups["slurm_nodes"] == groups["gpu_nodes"]
    assert groups["filesystem_scratch_metadata"] == groups["moosefs_metadata"] == ["ctl0"]
    assert groups["filesystem_scratch_data"] == groups["moosefs_data"] == ["h100-0", "h100-1"]


def test_a_node_is_accepted_by_its_identity_and_not_by_its_name(contract: Contract) -> None:
    accepted = {"h100-0": "id-11", "h100-1": "the machine that was there before"}
    assert build(contract, accepted, PATHS).groups["unaccepted"] == ["h100-1", "h100-2"]


def test_spares_that_take_no_job_are_a_group_in_every_inventory(contract: Contract) -> None:
    whole = build(contract, {}, PATHS, standby=["h100-2"])
    assert (whole.groups["standby"], build(contract, {}, PATHS).groups["standby"]) == (["h100-2"], [])
    assert narrowed(whole, contract, PATHS, ["h100-0"]).groups["standby"] == ["h100-2"]


def test_the_stack_s_inventory_has_the_spares_of_now(contract: Contract, tmp_path: Path) -> None:
    work = Workspace(tmp_path, contract.stack)
    work.dir.mkdir(parents=True)
    keeps = contract.model_copy(update={"standby_pools": ["h100"]})
    contract_store.write(work, keeps)
    assert stack.of(work, keeps).groups["standby"] == ["h100-2"]
    places.exchange(keeps, work, "h100-1", "h100-2")
    assert stack.of(work, keeps).groups["standby"] == ["h100-1"]


def test_the_controller_is_never_among_the_unaccepted(contract: Contract) -> None:
    assert "ctl0" not in build(contract, {}, PATHS).groups["unaccepted"]


def test_no_scheduler_no_scheduler_group(contract: Contract) -> None:
    bare = sealed(contract.model_copy(update={"scheduler": "none", "filesystems": []}))
    groups = build(bare, {}, PATHS).groups
    assert not [name for name in groups if name.startswith(("scheduler_", "filesystem", "slurm", "moosefs"))]


def test_hosts_are_reached_through_the_stacks_ssh_config(contract: Contract) -> None:
    values = build(contract, {}, PATHS).hostvars["h100-0"]
    assert values["ansible_ssh_common_args"] == "-F '/work tree/ssh/config'"
    assert values["ansible_become"] is False
    assert not [value for value in values.values() if "StrictHostKeyChecking" in str(value)]


def test_host_variables_are_prefixed(contract: Contract) -> None:
    inventory = build(contract, {}, PATHS)
    names = {*inventory.variables, *(key for values in inventory.hostvars.values() for key in values)}
    assert all(name.startswith(("railbed_", "ansible_")) for name in names)


def test_a_node_knows_its_rails_and_filesystems(contract: Contract) -> None:
    values = build(contract, {}, PATHS).hostvars["h100-1"]
    assert [rail["address"] for rail in values["railbed_rails"]] == ["10.91.0.12/24", "10.91.1.12/24"]
    assert values["railbed_rail_networks"] == ["10.91.0.0/24", "10.91.1.0/24"]
    assert values["railbed_links"] == {"rail0": 9000, "rail1": 9000}
    assert values["railbed_data_paths"] == ["/srv/railbed/data/scratch"]
    assert values["railbed_metadata_hosts"] == ["ctl0"]
    assert values["railbed_gpu_model"] == "NVIDIA H100 80GB HBM3"


def test_a_node_without_a_filesystem_to_serve_has_no_data_folder(contract: Contract) -> None:
    values = build(contract, {}, PATHS).hostvars["h100-2"]
    assert values["railbed_data_paths"] == values["railbed_metadata_hosts"] == []


def test_all_host_keys_are_known_by_name_and_address(contract: Contract) -> None:
    known = build(contract, {}, PATHS).variables["railbed_known_hosts"].splitlines()
    assert known[0] == "ctl0,10.90.0.10 ssh-ed25519 AAAAC3Nza10 ctl0" and len(known) == 4


def test_what_all_share_is_said_once(contract: Contract) -> None:
    """Ten times the nodes must not make each node's own variables longer."""
    one = json.dumps(build(contract, {}, PATHS).hostvars["h100-0"])
    many = contract.model_copy(update={"nodes": [*contract.nodes, *contract.nodes[1:]]})
    assert json.dumps(build(many, {}, PATHS).hostvars["h100-0"]) == one


def test_the_health_check_knows_the_controllers_and_when_a_node_may_drain(contract: Contract) -> None:
    expected = json.loads(build(contract, {}, PATHS).hostvars["h100-1"]["railbed_expectations"])
    assert (expected["names"], expected["health"]) == (["ctl0"], health.settings())


def test_a_group_of_a_component_is_there_whoever_is_in_it() -> None:
    """Plays and roles name it, also where the release has no such component."""
    assert set(node_classes.OF_COMPONENTS) <= set(inventory.ALWAYS)


def test_a_run_on_one_node_is_told_of_it_and_of_the_controllers(contract: Contract) -> None:
    told = narrowed(build(contract, {}, PATHS, ()), contract, PATHS, {"h100-1"})
    assert list(told.hostvars) == ["ctl0", "h100-1"]
    assert told.groups["gpu_nodes"] == ["h100-1"] and told.groups["role_controller"] == ["ctl0"]
    # What the roles of other nodes ask for stays whole: the controller knows all nodes, whoever the run is on.
    assert told.groups["unaccepted"] == ["h100-0", "h100-1", "h100-2"]
    assert told.variables == build(contract, {}, PATHS).variables


def test_what_roles_ask_of_whole_groups_stays_whole() -> None:
    files = [
        path for folder in ("playbooks", "roles") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    asked = {
        name for path in files for name in re.findall(r"groups\[['\"](\w+)", path.read_text(errors="ignore"))
    }
    assert asked and asked <= set(inventory.ASKED_WHOLE)


def test_a_stack_on_disk_is_read(work: Workspace) -> None:
    work.accepted.path.write_text(json.dumps({"h100-0": "id-11"}))
    assert stack.load(work).groups["unaccepted"] == ["h100-1", "h100-2"]


@pytest.mark.parametrize("text", ["", "{}", "null", '{"schema": "railbed/contract/v1", "stack": "sm'])
def test_an_empty_or_truncated_contract_is_refused(work: Workspace, text: str) -> None:
    work.contract_file.write_text(text)
    with pytest.raises(ContractError):
        stack.load(work)


@pytest.mark.parametrize("indent", [None, 1])
def test_the_hash_on_disk_is_that_of_the_contract(
    work: Workspace, contract: Contract, indent: int | None
) -> None:
    made = {**contract.as_json(), "mac": "0" * 64}
    work.contract_file.write_text(json.dumps(made, indent=indent) + "\n")
    assert contracts.hash_on_disk(work.contract_file) == contract.hash
    elsewhere = {**contract.as_json(), "hash": contract.hash, "nodes": []}
    work.contract_file.write_text(json.dumps(dict(reversed(elsewhere.items()))))
    assert contracts.hash_on_disk(work.contract_file) == contract.hash, "wherever it stands"


@pytest.mark.parametrize("keep", [0, 1, 300, -2, -40])
def test_the_hash_of_half_a_contract_is_not_taken(work: Workspace, contract: Contract, keep: int) -> None:
    text = json.dumps(contract.as_json())
    work.contract_file.write_text(text[:keep] if keep else "")
    with pytest.raises(ContractError, match="not whole JSON"):
        contracts.hash_on_disk(work.contract_file)
    work.contract_file.unlink()
    with pytest.raises(ContractError, match="no contract yet"):
        contracts.hash_on_disk(work.contract_file)


def test_an_older_schema_is_refused(work: Workspace, contract: Contract) -> None:
    work.contract_file.write_text(json.dumps({**contract.as_json(), "schema": "railbed/contract/v0"}))
    with pytest.raises(ContractError, match="another schema"):
        stack.load(work)


def test_an_edited_contract_is_refused(work: Workspace, contract: Contract) -> None:
    known = json.loads(work.contract_file.read_text())
    work.contract_file.write_text(json.dumps({**known, "domain": "elsewhere"}))
    with pytest.raises(ContractError, match="changed after it was made"):
        stack.load(work)


def test_the_contract_of_another_stack_is_refused(work: Workspace, contract: Contract) -> None:
    other = contract.model_copy(update={"stack": "other"}).sealed()
    contract_store.write(work, other)
    with pytest.raises(ContractError, match="another stack"):
        stack.load(work)


def test_a_shrunken_contract_is_refused(
    work: Workspace, contract: Contract, write: Callable[[Contract], None]
) -> None:
    contract_store.write(work, contract, stack.converged_file(work))
    write(without(contract, "h100-2"))
    with pytest.raises(ContractError) as refused:
        stack.load(work)
    assert refused.value.code == "CONTRACT_SHRUNKEN"
    assert refused.value.found == ["h100-2"]


def test_nodes_that_left_on_purpose_are_not_missed(
    work: Workspace, contract: Contract, write: Callable[[Contract], None]
) -> None:
    stack.let_go(work, ["h100-2"])  # nothing was converged yet
    contract_store.write(work, contract, stack.converged_file(work))
    stack.let_go(work, ["h100-2"])
    write(without(contract, "h100-2"))
    stack.load(work)
    write(without(without(contract, "h100-2"), "h100-1"))
    with pytest.raises(ContractError, match="lost 1 of 3"):
        stack.load(work)


def test_a_replaced_node_does_not_hide_a_lost_one(
    work: Workspace, contract: Contract, write: Callable[[Contract], None]
) -> None:
    """As many nodes as before, but other ones: the lost ones count."""
    contract_store.write(work, contract, stack.converged_file(work))
    renamed = [n.model_copy(update={"name": "h100-9"}) if n.name == "h100-2" else n for n in contract.nodes]
    write(contract.model_copy(update={"nodes": renamed}).sealed())
    with pytest.raises(ContractError, match="lost 1 of 4"):
        stack.load(work)


def test_a_contract_that_grew_is_fine(work: Workspace, contract: Contract) -> None:
    contract_store.write(work, without(contract, "h100-2"), stack.converged_file(work))
    assert len(stack.load(work).hostvars) == 4


@pytest.mark.parametrize("text", ["[1]", '{"h100-0": 3}', "{"])
def test_a_broken_list_of_accepted_nodes_is_refused(work: Workspace, text: str) -> None:
    work.accepted.path.write_text(text)
    with pytest.raises(ContractError, match="accepted nodes"):
        stack.load(work)


def ansible_inventory(work: Workspace, stack: str = "") -> subprocess.CompletedProcess[str]:
    source = work.root / "inventories" / f"{work.stack}.railbed.yaml"
    source.parent.mkdir(exist_ok=True)
    source.write_text(f"plugin: railbed\nstack: {json.dumps(stack or work.stack)}\n")
    tool = Path(sys.executable).with_name("ansible-inventory")
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(work.dir / "home")}
    return subprocess.run(
        [tool, "-i", source, "--list"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_ansible_reads_a_stack_through_the_plugin(work: Workspace) -> None:
    done = ansible_inventory(work)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["gpu_nodes"]["hosts"] == ["h100-0", "h100-1", "h100-2"]
    # Text from a contract is never a template.
    assert told["_meta"]["hostvars"]["ctl0"]["railbed_cluster"] == {"__ansible_unsafe": "small"}


def test_ansible_stops_at_a_bad_contract(work: Workspace) -> None:
    work.contract_file.write_text("{")
    done = ansible_inventory(work)
    assert done.returncode != 0
    assert "CONTRACT" in done.stderr and "run `railbed up` again" in done.stderr


@pytest.mark.parametrize("name", ["../small", "a\nb"])
def test_ansible_stops_at_a_stack_that_is_no_name(work: Workspace, name: str) -> None:
    done = ansible_inventory(work, name)
    assert done.returncode != 0 and "STACK_NAME" in done.stderr


@pytest.mark.parametrize("mac", [None, "0" * 64])
def test_ansible_stops_at_a_contract_that_the_stack_s_key_did_not_make(
    work: Workspace, contract: Contract, mac: str | None
) -> None:
    forged = contract.model_copy(update={"domain": "elsewhere"}).sealed().as_json()
    work.contract_file.write_text(json.dumps({**forged, **({"mac": mac} if mac else {})}))
    done = ansible_inventory(work)
    assert done.returncode != 0 and "CONTRACT_MAC" in done.stderr
    assert (
        contracts.authenticated(forged, (work.secrets / "contract.key").read_bytes())["mac"]
        not in done.stderr
    )


def test_only_the_clusters_own_repository_is_carried_to_the_nodes(contract: Contract) -> None:
    def carried(*uris: str) -> object:
        known = contract.software.repositories[0]
        software = contract.software.model_copy(
            update={"repositories": [known.model_copy(update={"uri": uri}) for uri in uris]}
        )
        changed = sealed(contract.model_copy(update={"software": software}))
        paths = Paths(ssh_config=Path("c"), secrets=Path("s"), repositories=Path("/cache/software"))
        return build(changed, {}, paths).variables["railbed_carried"]

    assert carried("file:/srv/repo", "https://mirror.test/apt/local/") == {}
    assert carried(f"file:{NODE_REPOSITORY}/0123abcd/") == {
        "from": "/cache/software/0123abcd",
        "to": f"{NODE_REPOSITORY}/0123abcd",
    }


def test_sources_that_nodes_build_come_with_it(contract: Contract) -> None:
    def url(uri: str, carried: str = "sources/pyxis/1.tar.gz") -> object:
        known = contract.software.repositories[0]
        file = File(url="https://a.test/1.tar.gz", sha256="5" * 64, carried=carried)
        software = contract.software.model_copy(
            update={"repositories": [known.model_copy(update={"uri": uri})], "files": {"pyxis": file}}
        )
        changed = sealed(contract.model_copy(update={"software": software}))
        paths = Paths(ssh_config=Path("c"), secrets=Path("s"), repositories=Path("/cache/software"))
        return build(changed, {}, paths).variables["railbed_files"]["pyxis"]["url"]

    own = f"file:{NODE_REPOSITORY}/0123abcd/"
    assert url(own) == f"file://{NODE_REPOSITORY}/0123abcd/sources/pyxis/1.tar.gz"
    assert url(own, carried="") == url("https://mirror.test/apt/local/") == "https://a.test/1.tar.gz"


def test_what_the_clusters_own_repository_carries_is_held_at_its_version_and_an_upgrade_moves_it(
    contract: Contract,
) -> None:
    def carrying(version: str) -> Contract:
        one = contract.software.repositories[0].model_copy(
            update={"packages": {"jq": version, "elsewhere": "1"}}
        )
        software = contract.software.model_copy(update={"repositories": [one]})
        return sealed(contract.model_copy(update={"software": software}))

    unpinned = contract.class_of(contract.node("h100-1")).packages
    assert unpinned["jq"] == "" and "elsewhere" not in unpinned
    for version in ("1.7.1-3", "1.8.0-1"):
        made = carrying(version)
        found = build(made, {}, PATHS)
        (group,) = [
            name
            for name in found.groups
            if name.startswith("class_compute") and "h100-1" in found.groups[name]
        ]
        packages = found.group_variables[group]["railbed_node_packages"]
        assert packages["jq"] == version and packages.keys() == unpinned.keys()
        assert {name: pin for name, pin in packages.items() if name != "jq"} == {
            name: pin for name, pin in unpinned.items() if name != "jq"
        }
        assert expectations.of(made, made.node("h100-1"))["packages"]["jq"] == version
        assert "packages" not in found.variables["railbed_repositories"][0]


def test_every_package_that_nodes_hold_is_looked_for(contract: Contract) -> None:
    wanted = expectations.of(contract, contract.node("h100-1"))["packages"]
    pinned = {name for name, pin in contract.class_of(contract.node("h100-1")).packages.items() if pin}
    assert pinned <= wanted.keys() and {"libnccl-dev", "enroot"} <= pinned
    assert not [version for version in wanted.values() if "*" in version]
