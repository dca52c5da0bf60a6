"""What a machine with every part of a release gets, and that a lab gets none of what it has no package for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.roles.conftest import Recorded
from tests.roles.local import play

ROOT = Path(__file__).resolve().parents[2]
INERT = ("nvidia_imex", "nccl_tests", "rdma", "scratch_nvme")
"""Roles that run only where the contract's release or machine has what they are for."""
OWN_FOLDERS = {"RUNTIME": "/run/enroot", "DATA": "/var/lib/enroot/data", "CACHE": "/var/lib/enroot/cache"}
"""Path in enroot's settings → the folder in which each user has one."""
EXPORTER = "/etc/systemd/system/nvidia-dcgm-exporter.service.d/railbed.conf"
PACKAGES = "packages: Install the packages of all roles"


@pytest.mark.parametrize("role", INERT)
def test_no_package_is_asked_of_a_lab_that_it_does_not_have(lab: Recorded, role: str) -> None:
    assert not [task for asked in lab.asked.values() for task in asked if task.startswith(f"{role}:")]


def test_everything_of_the_release_is_pinned_and_held(machines: Recorded) -> None:
    asked = machines.asked["h100-0"][PACKAGES]
    pinned = {
        "nvidia-open=595.71.05-*", "nvidia-fabricmanager=595.71.05-*", "cuda-toolkit-13-2=13.2.1-*",
        "datacenter-gpu-manager-4-cuda13=1:4.5.3-*", "datacenter-gpu-manager-exporter=4.8.2-1",
        "nvidia-driver-pinning-595.71.05=595.71.05-1ubuntu1", "libnccl2=2.30.4-1+cuda13.2",
        "libnccl-dev=2.30.4-1+cuda13.2",
        "nvidia-container-toolkit=1.19.1-*", "enroot=4.2.1-*", "nvslurm-plugin-pyxis=0.24.0-*", "nccl-tests=2.17.6-*",
    }  # fmt: skip
    named = [name for name in asked["hold"] if "*" not in name]
    assert pinned <= set(asked["packages"]) and len(named) == len(pinned)
    assert "linux-image-*" in asked["hold"], "the kernel stays whichever it is"
    assert "" not in asked["packages"]
    controller = machines.asked["ctl0"][PACKAGES]
    ours = {name for name in controller["hold"] if not name.startswith("linux-")}
    assert ours == {"enroot", "nvslurm-plugin-pyxis"}
    assert {"enroot=4.2.1-*", "nvslurm-plugin-pyxis=0.24.0-*"} <= set(controller["packages"])
    assert not [name for name in controller["packages"] if name.startswith("nvidia-container-toolkit")]


def test_driver_fabric_manager_and_what_needs_them_come_in_order(machines: Recorded) -> None:
    order = [task.split(":")[0] for task in machines.asked["h100-0"]]
    wanted = [
        "packages",
        "rdma",
        "nvidia_fabric_manager",
        "cuda",
        "dcgm",
        "container_runtime",
        "checks",
        "slurm_node",
    ]
    # By its last task: the rule for logins of slurm_node comes before people do.
    ended = list(reversed(dict.fromkeys(reversed(order))))
    assert [role for role in ended if role in wanted] == wanted
    (unit,) = machines.asked["h100-0"]["nvidia_fabric_manager: Manage the NVSwitches"]["units"]
    assert unit == {"name": "nvidia-fabricmanager.service", "files": ["/usr/bin/nv-fabricmanager"]}


def test_modules_of_nvlink_5_are_loaded_before_its_fabric_manager(tmp_path: Path) -> None:
    told = {"version": "1", "driver_version": "1", "modules": ["mlx5_ib", "ib_umad"]}
    said = tmp_path / "said"
    content = "{{ nvidia_fabric_manager_files.values() | first }}{{ nvidia_fabric_manager_units | map(attribute='name') | join }}"
    role = {"name": "nvidia_fabric_manager", "tasks_from": "install", "public": True}
    tasks = [
        {"name": "Role", "ansible.builtin.include_role": role},
        {"name": "Say", "ansible.builtin.copy": {"content": content, "dest": str(said), "mode": "0600"}},
    ]
    done = play(
        tmp_path, [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
        extravars={f"nvidia_fabric_manager_{name}": value for name, value in told.items()},
    )  # fmt: skip
    assert done.status == "successful"
    order = "systemd-modules-load.servicenvidia-fabricmanager.service"
    assert said.read_text().splitlines()[1:] == ["mlx5_ib", "ib_umad", order]


def test_a_kernel_of_its_own_is_set_at_every_boot(machines: Recorded, lab: Recorded) -> None:
    said = machines.text("h100-0", "/etc/systemd/system/railbed-processors.service")
    assert "--set --governor performance --idle-latency-us 50 --huge-pages madvise\n" in said
    asked = machines.asked["h100-0"][
        "processors: Set clocks, idle states and huge pages, now and at every boot"
    ]
    assert asked["units"][0]["name"] == "railbed-processors.service" and len(asked["units"][0]["files"]) == 2
    unit = machines.text("h100-0", "/etc/systemd/system/railbed-persistence.service")
    assert (
        "ExecStart=/usr/bin/nvidia-smi -pm 1\n" in unit
        and "Before=nvidia-dcgm.service slurmd.service\n" in unit
    )
    assert not [
        path for path in lab.files["h100-0"] if "railbed-processors" in path or "railbed-persist" in path
    ]


def test_the_exporter_asks_the_engine_that_runs_and_serves_management_only(machines: Recorded) -> None:
    said = machines.text("h100-0", EXPORTER)
    fields = "/etc/dcgm-exporter/railbed.csv"
    assert (
        f"--address 10.90.0.11:9400 --remote-hostengine-info 127.0.0.1:5555 --collectors {fields}\n" in said
    )
    assert "\nDCGM_FI_DEV_XID_ERRORS, gauge, " in machines.text("h100-0", fields)
    assert "ExecStart=\nExecStart=" in said, "the package's own command is replaced and not followed"
    units = [unit["name"] for unit in machines.asked["h100-0"]["dcgm: Watch the GPUs"]["units"]]
    assert units == ["nvidia-dcgm.service", "nvidia-dcgm-exporter.service"]


def test_rails_get_drivers_modules_and_stable_names(machines: Recorded) -> None:
    modules = machines.text("h100-0", "/etc/modules-load.d/railbed-rdma.conf").splitlines()[1:]
    assert modules == ["mlx5_ib", "ib_uverbs", "ib_umad", "rdma_ucm", "ib_ipoib"]
    # The catalogue names none of these machines' devices: they keep the names by PCI address, as they are observed.
    rules = "/etc/udev/rules.d/60-rdma-persistent-naming.rules"
    assert rules not in machines.files["h100-0"]
    assert rules in machines.asked["h100-0"]["rdma: Load the drivers, now and at every boot"]["absent"]
    asked = machines.asked["h100-0"][PACKAGES]["packages"]
    assert {"rdma-core", "linux-headers-6.8.0-45-generic"} <= set(asked) and "doca-ofed" not in asked
    said = machines.text("h100-0", "/etc/openmpi/openmpi-mca-params.conf")
    assert "pml = ucx\n" in said, "ranks use the rails' RDMA"


def test_containers_run_as_the_user_and_see_the_rails(machines: Recorded) -> None:
    said = machines.text("h100-0", "/etc/enroot/enroot.conf")
    assert "ENROOT_RESTRICT_DEV no\n" in said
    own = "/opt/railbed/containers/own-folder"
    for name, parent in OWN_FOLDERS.items():
        assert f"\nENROOT_{name}_PATH {parent}/user-$({own} {parent} || printf %0300d)\n" in said
    program = machines.files["h100-0"][own]
    assert program["content"] == (ROOT / "roles/container_runtime/files/own-folder").read_text()
    assert program["mode"] == "0755" and "owner" not in program, "root's, so that no user exchanges it"
    for host in ("ctl0", "h100-0"):
        assert "include /usr/share/pyxis/pyxis.conf\n" in machines.text(host, "/etc/slurm/plugstack.conf")
    folders = machines.asked["h100-0"]["container_runtime: Run containers as the user"]["directories"]
    assert folders["/run/enroot"] == {"mode": "1777"} and len(folders) == 4


def test_logins_find_the_toolkit_of_the_release(machines: Recorded) -> None:
    assert "CUDA_HOME=/usr/local/cuda-13.2\n" in machines.text("h100-0", "/etc/profile.d/railbed-cuda.sh")


def test_local_drives_are_joined_and_the_unit_is_not_restarted_under_jobs(machines: Recorded) -> None:
    asked = machines.asked["h100-0"]["scratch_nvme: Make or find the array, and mount it"]
    assert asked["units"] == [{"name": "railbed-scratch.service"}]
    settings = yaml.safe_load(machines.text("h100-0", "/etc/railbed/scratch.json"))
    assert settings["mount"] == "/local" and "Amazon Elastic Block Store" in settings["network_models"]
    program = machines.text("h100-0", "/opt/railbed/scratch/scratch.py")
    assert program == (ROOT / "roles/scratch_nvme/files/scratch.py").read_text()
