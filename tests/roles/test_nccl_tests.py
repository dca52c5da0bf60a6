"""Roles nccl_tests, perftest and gdrcopy: what module `built` is asked, and who gets the roles. What it does:
test_built.py, test_dkms.py."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import planned_software, sealed

from railbed.contract import Contract, Software

ROOT = Path(__file__).resolve().parents[2]
HASH = "5" * 64
URL = "https://a.test/v2.17.6.tar.gz"


def whole() -> Contract:
    """Machines of their own with a release that builds nccl-tests."""
    contract = cluster()
    infiniband = contract.machines[0].model_copy(update={"transport": "infiniband", "key": "own/rail8"})
    nodes = [n.model_copy(update={"machine": infiniband.key if n.machine else ""}) for n in contract.nodes]
    planned = planned_software("2026.12", infiniband, "debian 12")
    planned["files"]["nccl_tests"] = {"url": URL, "sha256": HASH}
    software = Software(**planned, repositories=contract.software.repositories)
    changed = {"software": software, "simulated": False, "hosts": "machine"}
    changed |= {"machines": [infiniband], "nodes": nodes}
    return sealed(contract.model_copy(update=changed))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("nccl_tests") / "checkout"
    yield record(folder, whole(), container=False, tags="nccl_tests,perftest,gdrcopy,packages")


def test_nccl_is_of_the_releases_version_to_the_toolkit_that_it_is_for(machines: Recorded) -> None:
    assert not [one.message for one in machines.collector.nodes.values() if one.failed_task]
    asked = machines.asked["h100-0"]["packages: Install the packages of all roles"]
    wanted = {"libnccl2=2.30.4-1+cuda13.2", "libnccl-dev=2.30.4-1+cuda13.2", "libopenmpi-dev"}
    assert wanted <= set(asked["packages"]) and {"libnccl2", "libnccl-dev"} <= set(asked["hold"])
    pins = machines.text("h100-0", "/etc/apt/preferences.d/railbed")
    assert "Package: libnccl-dev\nPin: version 2.30.4-1+cuda13.2\nPin-Priority: 1002\n" in pins
    assert "Package: nvidia-open\nPin: version 595.71.05-*\n" in pins


def test_the_folder_is_named_after_what_was_built_with_what(machines: Recorded) -> None:
    asked = machines.asked["h100-0"]["nccl_tests: Build it"]
    assert (asked["url"], asked["sha256"], asked["link"]) == (URL, HASH, "/opt/railbed/nccl-tests/bin")
    assert asked["to"] == "/opt/railbed/nccl-tests/2.17.6-nccl2.30.4-cuda13.2.1"
    made = ["MPI=1", "MPI_HOME=/usr/lib/*/openmpi", "CUDA_HOME=/usr/local/cuda-13.2", "BUILDDIR={built}"]
    assert asked["make"] == made and not asked.get("optional", False)


def test_perftest_is_built_with_cuda_and_dma_buf_where_the_distribution_drives_the_rails(
    machines: Recorded,
) -> None:
    asked = machines.asked["h100-0"]["perftest: Build it"]
    assert asked["to"] == "/opt/railbed/perftest/25.10.0-0.128-cuda13.2.1" and asked["optional"] is True
    assert asked["defines"] == ["HAVE_CUDA", "HAVE_CUDA_DMABUF"]
    assert "CUDA_H_PATH=/usr/local/cuda-13.2/include/cuda.h" in asked["configure"]
    packages = machines.asked["h100-0"]["packages: Install the packages of all roles"]["packages"]
    assert {"libibverbs-dev", "librdmacm-dev", "libibumad-dev", "libpci-dev", "gcc", "make"} <= set(packages)
    assert not [task for task in machines.asked["ctl0"] if task.startswith("perftest")]


def test_gdrcopys_module_is_built_against_the_driver_and_loaded_before_jobs(machines: Recorded) -> None:
    asked = machines.asked["h100-0"]
    built = asked["gdrcopy: Build its library and its kernel module"]
    module = built["kernel_module"]
    assert built["optional"] is True and built["make"] == ["lib"]
    assert built["to"] == "/opt/railbed/gdrcopy/2.5.2-source"
    assert module["version"] == "2.5.2-595.71.05" and "KVER=$kernelver" in module["make"]
    (unit,) = asked["gdrcopy: Load it, now and at every boot"]["units"]
    assert "/usr/src/gdrdrv-2.5.2-595.71.05/dkms.conf" in unit["files"], "another module is loaded anew"
    service = machines.text("h100-0", "/etc/systemd/system/railbed-gdrdrv.service")
    assert "Before=slurmd.service" in service
    assert machines.text("h100-0", "/etc/ld.so.conf.d/railbed-gdrcopy.conf") == "/opt/railbed/gdrcopy/lib\n"
    packages = asked["packages: Install the packages of all roles"]["packages"]
    assert {"dkms", "gcc", "make"} <= set(packages)
    assert not [task for task in machines.asked["ctl0"] if task.startswith("gdrcopy")]


MODPROBE = """#!/bin/sh
echo "modprobe $*" >> {said}
[ "$1" != -r ] || [ -z "{used}" ] || exit 1
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device in namespaces of its own: needs root")
@pytest.mark.parametrize(
    ("devices", "loaded", "used", "before", "ends"),
    [
        ("236 gdrdrv\n", "", "", "", "666 ec"),
        ("236 gdrdrv\n", "NEW", "", "mknod /dev/gdrdrv c 236 0", "666 ec"),
        ("236 gdrdrv\n", "OLD", "", "mknod -m 600 /dev/gdrdrv c 195 0", "666 ec"),
        ("236 gdrdrv\n", "OLD", "yes", "true", "no device"),
        ("195 nvidia\n", "", "", "true", "no device"),
    ],
)
def test_gdrdrv_gets_the_device_that_the_kernel_numbers(
    tmp_path: Path, devices: str, loaded: str, used: str, before: str, ends: str
) -> None:
    """Devices and loaded modules are files of the test, and nothing is loaded."""
    said, bin_, known = tmp_path / "said", tmp_path / "bin", tmp_path / "devices"
    bin_.mkdir()
    known.write_text(f"Character devices:\n{devices}")
    (tmp_path / "module/gdrdrv").mkdir(parents=True)
    if loaded:
        (tmp_path / "module/gdrdrv/srcversion").write_text(f"{loaded}\n")
    for name, text in (
        ("modprobe", MODPROBE.format(said=said, used=used)),
        ("modinfo", "#!/bin/sh\necho NEW\n"),
    ):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    script = (
        f"mount --bind {known} /proc/devices; mount --bind {tmp_path / 'module'} /sys/module; mount -t tmpfs tmpfs /dev; "
        f"{before or 'true'}; PATH={bin_}:$PATH {ROOT / 'roles/gdrcopy/files/load'}; "
        "stat -c '%a %t' /dev/gdrdrv || echo no device"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], text=True, capture_output=True, check=False, timeout=30
    )
    assert done.stdout.strip() == ends, done.stderr
    assert said.read_text().startswith("modprobe -r gdrdrv\n" if loaded == "OLD" else "modprobe gdrdrv\n")


def test_a_source_without_a_hash_is_refused(tmp_path: Path) -> None:
    told: dict[str, Any] = {
        f"nccl_tests_{name}_version": version for name, version in (("nccl", "2.30.4"), ("cuda", "13.2.1"))
    }
    told |= {
        "nccl_tests_version": "2.17.6",
        "nccl_tests_url": URL,
        "nccl_tests_sha256": "",
        "nccl_tests_available_packages": ["g++", "make", "libopenmpi-dev", "libnccl-dev"],
    }
    bad = Case("no hash", "nccl_tests", told, "No SHA-256 is known")
    good = Case("a hash", "nccl_tests", {**told, "nccl_tests_sha256": HASH})
    answers = ask([bad, good], tmp_path)
    assert bad.says in answers["no hash"] and URL in answers["no hash"] and answers["a hash"] == ""
