"""A pair of controllers, and the accounts of jobs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.roles.conftest import Recorded, cluster, node, record
from tests.roles.test_render import values
from tests.support.contracts import sealed

from railbed.contract import Contract, Filesystem

SACCTMGR = """#!/bin/sh
echo "$@" >> "$FAKE/calls"
case "$*" in
*list*) [ -e "$FAKE/up" ] || { touch "$FAKE/up"; exit 1; }; cat "$FAKE/known" ;;
*add*) echo added ;;
esac
"""


def pair() -> Contract:
    """Two controllers, and a filesystem whose servers are neither of them."""
    contract = cluster()
    shared = Filesystem(
        name="data", kind="lustre", mount="/data", metadata_server="", data_servers=[], data_path="", copies=1,
        capacity_tib=10, source="10.90.9.1@tcp:/data",
    )  # fmt: skip
    nodes = [contract.nodes[0], node("ctl1", "controller", 9), *contract.nodes[1:]]
    return sealed(
        contract.model_copy(update={"nodes": nodes, "filesystems": [*contract.filesystems, shared]})
    )


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("paired") / "checkout"
    yield record(folder, pair(), container=False, tags="slurm,slurm_controller")


def test_the_second_controller_stands_by_with_the_state_of_the_first(paired: Recorded) -> None:
    assert not [one.message for one in paired.collector.nodes.values() if one.failed_task]
    said = paired.text("h100-0", "/etc/slurm/slurm.conf")
    assert "SlurmctldHost=ctl0(10.90.0.10)\nSlurmctldHost=ctl1(10.90.0.9)\n" in said
    assert values(said)["StateSaveLocation"] == "/data/.slurm-small", "MooseFS's metadata is on a controller"
    for controller in ("ctl0", "ctl1"):
        asked = paired.asked[controller]["slurm_controller: Schedule"]
        assert asked["directories"] == {"/data/.slurm-small": {"owner": "slurm", "mode": "0700"}}
        assert asked["units"][0]["name"] == "slurmctld.service"
        brought = paired.text(controller, "/etc/systemd/system/slurmctld.service.d/20-railbed-state.conf")
        command = "ExecStartPre=+/opt/railbed/slurm-state /data/.slurm-small /var/lib/slurm/slurmctld\n"
        assert brought.endswith(command)


def test_one_controller_keeps_its_state_to_itself(lab: Recorded, machines: Recorded) -> None:
    for recorded in (lab, machines):
        said = values(recorded.text("ctl0", "/etc/slurm/slurm.conf"))
        assert said["StateSaveLocation"] == "/var/lib/slurm/slurmctld"
        asked = recorded.asked["ctl0"]["slurm_controller: Schedule"]
        assert list(asked["directories"]) == ["/var/lib/slurm/slurmctld"]


def test_filesystems_are_mounted_before_the_scheduler_starts(machines: Recorded) -> None:
    order = list(machines.asked["ctl0"])
    assert order.index("filesystem_client: Mount") < order.index("accounting: Keep the accounts")
    assert order.index("accounting: Keep the accounts") < order.index("slurm_controller: Schedule")


def test_jobs_are_accounted_for_on_the_controller(lab: Recorded, machines: Recorded) -> None:
    for recorded in (lab, machines):
        kept = values(recorded.text("h100-0", "/etc/slurm/slurm.conf"))
        assert kept["AccountingStorageHost"] == "ctl0"
        assert kept["AccountingStorageType"] == "accounting_storage/slurmdbd"
        asked = recorded.asked["ctl0"]["packages: Install the packages of all roles"]
        assert {"slurmdbd", "mariadb-server"} <= set(asked["packages"])


def test_the_database_takes_an_eighth_of_the_memory_that_the_contract_knows(machines: Recorded) -> None:
    said = machines.text("ctl0", "/etc/mysql/mariadb.conf.d/60-railbed-slurm.cnf")
    assert "innodb_buffer_pool_size = 512M\n" in said and "innodb_log_file_size = 128M\n" in said


def test_the_database_has_no_password_and_no_port(machines: Recorded) -> None:
    daemon = machines.files["ctl0"]["/etc/slurm/slurmdbd.conf"]
    assert daemon["mode"] == "0600" and daemon["owner"] == "slurm" and "StoragePass" not in daemon["content"]
    assert "IDENTIFIED VIA unix_socket" in machines.text("ctl0", "/etc/railbed/accounting.sql")
    assert "skip-networking\n" in machines.text("ctl0", "/etc/mysql/mariadb.conf.d/60-railbed-slurm.cnf")
    units = [unit["name"] for unit in machines.asked["ctl0"]["accounting: Keep the accounts"]["units"]]
    assert units.index("mariadb.service") < units.index("railbed-accounting-database.service")
    assert units.index("railbed-accounting-database.service") < units.index("slurmdbd.service")


@pytest.mark.parametrize(
    ("known", "added"), [("", True), ("other\n", True), ("small2\n", True), ("small\n", False)]
)
def test_a_cluster_is_registered_once(machines: Recorded, tmp_path: Path, known: str, added: bool) -> None:
    """The daemon does not answer at the first call."""
    for name, text in (
        ("sacctmgr", SACCTMGR),
        ("sleep", "#!/bin/sh\n"),
        ("register", machines.text("ctl0", "/opt/railbed/accounting/register")),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "known").write_text(known)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "FAKE": str(tmp_path)}
    done = subprocess.run(
        [tmp_path / "register"], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len([call for call in calls if "list" in call]) == 2
    assert ("--immediate add cluster small" in calls) == added


def test_only_a_machine_is_rebooted_by_the_scheduler(lab: Recorded, machines: Recorded) -> None:
    assert values(machines.text("h100-0", "/etc/slurm/slurm.conf"))["RebootProgram"] == "/usr/sbin/reboot"
    assert "RebootProgram" not in lab.text("h100-0", "/etc/slurm/slurm.conf")
