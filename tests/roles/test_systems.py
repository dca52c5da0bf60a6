"""What the roles would write on each operating system that a release is made for, on metal and on AWS.

Rendered only: nothing but Debian 12 was ever run. Versions and package names are the release's own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import KEY, Recorded, cluster, record
from tests.support.contracts import planned_software

from railbed import catalog
from railbed.contract import Contract, Repository, Software
from railbed.platforms import assemble

RELEASE = "2026.12"
SYSTEMS = ("debian 12", "ubuntu 24.04")
MACHINES = {"metal": "metal/hgx-b200", "aws": "aws/p5.48xlarge"}
WITH_NAMES_OF_THEIR_OWN = {
    "metal": "packages,ssh,time,users,hardening,metrics,slurm,mpi,rdma,accounting,container_runtime",
    "aws": "packages,rdma",
}
TRANSACTION = "packages: Install the packages of all roles"
REPOSITORY = Repository(
    name="Base", uri="https://deb.test/os", suite="stable", components=["main"], signed_by=KEY
)


def contract_of(system: str, machine: str) -> Contract:
    """The contract of a small cluster of these machines, with all that the release has for them on that system."""
    facts = assemble.machine(catalog.load_machine(machine))
    nodes = [n if not n.machine else n.model_copy(update={"machine": machine}) for n in cluster().nodes]
    return cluster(
        simulated=False,
        hosts="machine",
        nodes=nodes,
        machines=[facts],
        filesystems=[],
        software=Software(**planned_software(RELEASE, facts, system), repositories=[REPOSITORY]),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("systems")


@pytest.fixture(scope="session")
def recorded(folder: Path) -> Any:
    """(system, place) → what the roles with names of a system's own would do."""

    @cache
    def of(system: str, place: str) -> Recorded:
        made = contract_of(system, MACHINES[place])
        name = f"{system}-{place}".replace(" ", "-")
        return record(folder / name, made, container=False, tags=WITH_NAMES_OF_THEIR_OWN[place])

    return of


def transaction(recorded: Recorded, host: str = "h100-0") -> dict[str, Any]:
    return dict(recorded.asked[host][TRANSACTION])


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
        ("debian 12", {"libpmix2", "slurm-client", "slurmd", "prometheus-node-exporter"}, {"libpmix2t64"}),
        ("ubuntu 24.04", {"libpmix2t64", "slurm-client", "slurmd", "python3-testinfra"}, {"libpmix2"}),
    ],
)  # fmt: skip
def test_packages_have_their_system_s_names(
    recorded: Any, place: str, system: str, wanted: set[str], foreign: set[str]
) -> None:
    names = {name.partition("=")[0] for name in transaction(recorded(system, place))["packages"]}
    assert wanted <= names and not foreign & names and "" not in names
    assert names >= ({"libfabric1-aws", "openmpi40-aws"} if place == "aws" else {"rdma-core", "openmpi-bin"})


def test_the_scheduler_s_plugin_is_built_from_its_hashed_source_where_no_package_brings_it(
    recorded: Any,
) -> None:
    one: Recorded = recorded("ubuntu 24.04", "metal")
    for host in ("ctl0", "h100-0"):
        called = one.asked[host]["container_runtime: Build the scheduler's plugin"]
        known = catalog.load_release(RELEASE).alternatives("pyxis")[-1]
        assert (called["url"], called["sha256"], called["needs"]) == (
            known.url,
            known.sha256,
            ["spank_pyxis.so"],
        )
        assert called["to"].endswith("/0.24.0-slurm23.11.4") and not called.get("optional", False)
        asked = transaction(one, host)["packages"]
        assert {"gcc", "make", "libslurm-dev"} <= set(asked) and "nvslurm-plugin-pyxis" not in str(asked)
        assert "required /opt/railbed/pyxis/bin/spank_pyxis.so\n" in one.text(
            host, "/etc/slurm/plugstack.conf"
        )


@pytest.mark.parametrize("place", MACHINES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_driver_is_pinned_and_held_as_is_the_kernel(recorded: Any, system: str, place: str) -> None:
    asked = transaction(recorded(system, place))
    pinned = {"nvidia-open=595.71.05-*", "nvidia-fabricmanager=595.71.05-*", "cuda-toolkit-13-2=13.2.1-*"}
    assert pinned <= set(asked["packages"])
    assert {"nvidia-open", "nvidia-fabricmanager"} <= set(asked["hold"])
    assert "linux-image-*" in asked["hold"]


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
    assert units <= named
    assert files <= {*one.files["ctl0"], *one.files["h100-0"]}
    assert one.asked["h100-0"]["slurm: Configure the scheduler"]["links"]
