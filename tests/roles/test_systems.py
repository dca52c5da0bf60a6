"""What the roles would write on each operating system that a release is made for, on metal and on AWS.

Rendered only: nothing but Debian 12 was ever run. Versions and package names are the release's own.
"""

from __future__ import annotations

import configparser
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.conftest import KEY, Recorded, cluster, record

from railbed import catalog
from railbed.contract import Contract, Repository, Software
from railbed.plan import software
from railbed.platforms import assemble
from railbed.software import compat

RELEASE = "2026.12"
SYSTEMS = {"debian 12": "deb", "ubuntu 24.04": "deb", "rocky 9": "rpm"}
MACHINES = {"metal": "metal/hgx-b200", "aws": "aws/p5.48xlarge"}
WITH_NAMES_OF_THEIR_OWN = {
    "metal": "packages,ssh,time,users,hardening,metrics,slurm,mpi,rdma,accounting",
    "aws": "packages,rdma",
}
TRANSACTION = {
    "deb": "packages: Install the packages of all roles",
    "rpm": "packages: Install the rpm packages of all roles",
}
FINGERPRINT = "610C7B14E068A878070DA4E99CD0A493D42D0685"
ROCKY_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9"
REPOSITORIES = {
    "deb": [Repository(name="Base", uri="https://deb.test/os", suite="stable", components=["main"], signed_by=KEY)],
    "rpm": [
        Repository(name="BaseOS", uri="https://rpm.test/BaseOS/", suite="", components=[], signed_by=ROCKY_KEY,
                   signs=["packages"]),
        Repository(name="NVIDIA driver", uri="https://rpm.test/rhel9/", suite="", components=[], signed_by=KEY,
                   fingerprint=FINGERPRINT, signs=["packages", "index"]),
        Repository(name="toolkit", uri="https://rpm.test/toolkit/", suite="", components=[], signed_by=KEY),
    ],
}  # fmt: skip


def contract_of(system: str, machine: str) -> Contract:
    """The contract of a small cluster of these machines, with all that the release has for them on that system."""
    release, facts = catalog.load_release(RELEASE), catalog.load_machine(machine)
    chosen = compat.select(release, facts, system)
    chosen[catalog.SYSTEM] = next(o for o in release.alternatives(catalog.SYSTEM) if o.version == system)
    planned = software.planned(release, chosen, lab=False)
    locked = planned.model_dump(exclude={"repositories"})
    nodes = [n if not n.machine else n.model_copy(update={"machine": machine}) for n in cluster().nodes]
    return cluster(
        simulated=False,
        nodes=nodes,
        machines=[assemble.machine(facts)],
        filesystems=[],
        software=Software(**locked, repositories=REPOSITORIES[SYSTEMS[system]]),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("systems")


@pytest.fixture(scope="session")
def recorded(folder: Path) -> Any:
    """(system, place) → what the roles would do. Every role on Rocky's metal; elsewhere those with names of their own:
    Debian's other roles are rendered whole beside this file."""

    @cache
    def of(system: str, place: str) -> Recorded:
        tags = "all" if (system, place) == ("rocky 9", "metal") else WITH_NAMES_OF_THEIR_OWN[place]
        made = contract_of(system, MACHINES[place])
        name = f"{system}-{place}".replace(" ", "-")
        return record(folder / name, made, container=False, tags=tags)

    return of


def transaction(recorded: Recorded, system: str, host: str = "h100-0") -> dict[str, Any]:
    asked = recorded.asked[host]
    found = [name for name in TRANSACTION.values() if name in asked]
    assert found == [TRANSACTION[SYSTEMS[system]]], "one transaction, by the system's own package manager"
    return dict(asked[found[0]])


@pytest.mark.parametrize("place", MACHINES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_role_comes_to_its_end(recorded: Any, system: str, place: str) -> None:
    one: Recorded = recorded(system, place)
    states = {name: (n.state, n.failed_task, n.message) for name, n in one.collector.nodes.items()}
    assert one.collector.finished and not [state for state in states.values() if state[1]], states


@pytest.mark.parametrize("place", MACHINES)
@pytest.mark.parametrize(
    ("system", "wanted", "foreign"),
    [
        ("debian 12", {"libpmix2", "slurm-client", "slurmd", "openmpi-bin", "prometheus-node-exporter"}, {"libpmix2t64"}),
        ("ubuntu 24.04", {"libpmix2t64", "slurm-client", "slurmd", "openmpi-bin", "python3-testinfra"}, {"libpmix2"}),
        (
            "rocky 9",
            {"pmix", "slurm", "slurm-slurmd", "openmpi", "node-exporter", "python3-pytest-testinfra", "python3.12",
             "python3-dnf-plugin-versionlock", "chrony", "openssh-server"},
            {"libpmix2", "libpmix2t64", "slurm-client", "slurmd", "openmpi-bin", "prometheus-node-exporter",
             "python3-testinfra", "libfabric1-aws", "libfabric-aws-bin", "gdrdrv-dkms"},
        ),
    ],
)  # fmt: skip
def test_packages_have_their_system_s_names(
    recorded: Any, place: str, system: str, wanted: set[str], foreign: set[str]
) -> None:
    names = {name.partition("=")[0] for name in transaction(recorded(system, place), system)["packages"]}
    assert wanted <= names and not foreign & names and "" not in names
    nic = {"debian 12": "libfabric1-aws", "ubuntu 24.04": "libfabric1-aws", "rocky 9": "libfabric-aws"}[
        system
    ]
    assert nic in names if place == "aws" else "doca-ofed" in names


@pytest.mark.parametrize("place", MACHINES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_driver_is_pinned_and_held_as_is_the_kernel(recorded: Any, system: str, place: str) -> None:
    asked = transaction(recorded(system, place), system)
    pinned = {"nvidia-open=595.71.05-*", "nvidia-fabricmanager=595.71.05-*", "cuda-toolkit-13-2=13.2.1-*"}
    assert pinned <= set(asked["packages"])
    assert {"nvidia-open", "nvidia-fabricmanager"} <= set(asked["hold"])
    assert ("kernel-core" if system == "rocky 9" else "linux-image-*") in asked["hold"]


def test_the_controller_has_no_driver_on_rocky_and_no_stream_of_one(recorded: Any) -> None:
    one: Recorded = recorded("rocky 9", "metal")
    names = transaction(one, "rocky 9", "ctl0")["packages"]
    assert {"slurm-slurmctld", "slurm-slurmdbd", "mariadb-server"} <= set(names)
    assert not [name for name in names if "nvidia" in name]
    assert "/etc/dnf/modules.d/nvidia-driver.module" not in one.files["ctl0"]


def test_yum_takes_signed_packages_from_the_contract_s_repositories_only(recorded: Any) -> None:
    one: Recorded = recorded("rocky 9", "metal")
    read = configparser.ConfigParser()
    read.read_string(one.text("h100-0", "/etc/yum.repos.d/railbed.repo"))
    assert read.sections() == ["baseos", "nvidia-driver", "toolkit"]
    checks = {
        name: (part["gpgcheck"], part["repo_gpgcheck"]) for name, part in read.items() if name != "DEFAULT"
    }
    assert checks == {"baseos": ("1", "0"), "nvidia-driver": ("1", "1"), "toolkit": ("0", "1")}
    assert all(part["skip_if_unavailable"] == "0" for name, part in read.items() if name != "DEFAULT")
    assert read["baseos"]["gpgkey"] == f"file://{ROCKY_KEY}" and ROCKY_KEY not in one.files["h100-0"]
    for name in ("nvidia-driver", "toolkit"):
        assert one.text("h100-0", read[name]["gpgkey"].removeprefix("file://")) == KEY
    assert FINGERPRINT in one.text("h100-0", "/etc/yum.repos.d/railbed.repo")
    asked = one.asked["h100-0"]["packages: Say where packages come from"]
    assert asked["purge"] == ["/etc/yum.repos.d"] and asked["absent"] == []
    assert transaction(one, "rocky 9")["sources"] == ["/etc/yum.repos.d/railbed.repo"]
    assert not [path for path in one.files["h100-0"] if path.startswith(("/etc/apt", "/etc/default/chrony"))]


def test_dnf_moves_nothing_by_itself(recorded: Any) -> None:
    one: Recorded = recorded("rocky 9", "metal")
    read = configparser.ConfigParser()
    read.read_string(one.text("h100-0", "/etc/dnf/automatic.conf"))
    assert read["commands"]["apply_updates"] == read["commands"]["download_updates"] == "no"
    assert read["base"]["excludepkgs"] == "kernel*"
    main = configparser.ConfigParser()
    main.read_string(one.text("h100-0", "/etc/dnf/dnf.conf"))
    assert main["main"]["gpgcheck"] == main["main"]["localpkg_gpgcheck"] == "1"
    stream = one.text("h100-0", "/etc/dnf/modules.d/nvidia-driver.module")
    assert "stream=595-open\n" in stream and "state=enabled\n" in stream
    closed = one.asked["h100-0"]["hardening: Close logins, modules and services"]
    stopped = {unit["name"] for unit in closed["units"] if unit.get("state") == "stopped"}
    assert "dnf-automatic.timer" in stopped and closed["modes"]["/etc/shadow"] == "0000"


@pytest.mark.parametrize(
    ("system", "units", "files"),
    [
        (
            "debian 12", {"chrony.service", "ssh.service"},
            {"/etc/chrony/chrony.conf", "/etc/default/chrony", "/etc/openmpi/openmpi-mca-params.conf",
             "/etc/mysql/mariadb.conf.d/60-railbed-slurm.cnf", "/etc/apt/sources.list.d/railbed.sources"},
        ),
        (
            "ubuntu 24.04", {"chrony.service", "ssh.service"},
            {"/etc/chrony/chrony.conf", "/etc/default/chrony", "/etc/openmpi/openmpi-mca-params.conf",
             "/etc/mysql/mariadb.conf.d/60-railbed-slurm.cnf", "/etc/apt/sources.list.d/railbed.sources"},
        ),
        (
            "rocky 9", {"chronyd.service", "sshd.service"},
            {"/etc/chrony.conf", "/etc/sysconfig/chronyd", "/etc/openmpi-x86_64/openmpi-mca-params.conf",
             "/etc/my.cnf.d/60-railbed-slurm.cnf", "/etc/yum.repos.d/railbed.repo"},
        ),
    ],
)  # fmt: skip
def test_units_and_files_have_their_system_s_names(
    recorded: Any, system: str, units: set[str], files: set[str]
) -> None:
    one: Recorded = recorded(system, "metal")
    named = {
        unit["name"]
        for asked in one.asked["ctl0"].values()
        for unit in asked.get("units", [])
        if "files" in unit
    }
    other = {"chrony.service", "chronyd.service", "ssh.service", "sshd.service"} - units
    assert units <= named and not other & named
    assert files <= {*one.files["ctl0"], *one.files["h100-0"]}
    links = one.asked["h100-0"]["slurm: Configure the scheduler"]["links"]
    assert bool(links) is (SYSTEMS[system] == "deb")


def test_logins_on_rocky_ask_for_a_job_after_the_system_s_own_rules(recorded: Any) -> None:
    """Apart: a rule there lets local accounts in at once, and skips what follows in the same stack."""
    text = recorded("rocky 9", "metal").text("h100-0", "/etc/pam.d/sshd")
    account = [line.split()[1:3] for line in text.splitlines() if line.startswith("account")]
    assert account == [
        ["required", "pam_sepermit.so"], ["required", "pam_nologin.so"], ["substack", "password-auth"],
        ["sufficient", "pam_listfile.so"], ["required", "pam_slurm_adopt.so"],
    ]  # fmt: skip
    session = [line for line in text.splitlines() if line.startswith("session")]
    assert not [line for line in session if "password-auth" in line], "it brings pam_systemd"
    packages = transaction(recorded("rocky 9", "metal"), "rocky 9")["packages"]
    assert "slurm-pam_slurm" in packages and "libpam-slurm-adopt" not in packages


def test_chrony_s_options_have_the_name_that_its_unit_reads(recorded: Any) -> None:
    assert 'DAEMON_OPTS="-F 1"\n' in recorded("debian 12", "metal").text("h100-0", "/etc/default/chrony")
    assert '\nOPTIONS="-F 1"\n' in recorded("rocky 9", "metal").text("h100-0", "/etc/sysconfig/chronyd")


def test_names_of_a_system_are_only_given_for_packages_that_some_role_asks_for() -> None:
    """A name that nobody asks for any more would be a lie that nothing shows."""
    root = Path(__file__).resolve().parents[2]
    asked = json.dumps(yaml.safe_load((root / "playbooks/group_vars/all.yml").read_text()))
    files = sorted((root / "playbooks/group_vars").glob("system_*.yml"))
    assert {path.stem for path in files} == {"system_ubuntu_24_04", "system_rocky_9"}
    for path in files:
        names = yaml.safe_load(path.read_text())["packages_other_names"]
        assert not [name for name in names if name not in asked], path
