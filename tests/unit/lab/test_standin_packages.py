"""Stand-in packages: what each contains, and what its own scripts do on a host. None is installed on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from railbed.catalog import load_release
from railbed.effects.lab import debs, packages, standin_packages, vendor
from railbed.effects.lab.vendor import StandIn, Switch

OLD, NEW = "570.124.06", "595.71.05"
KERNELS = ("6.8.0-1", "6.8.0-2")


def driver(version: str, *kernels: str) -> StandIn:
    return StandIn("nvidia_driver", "nvidia-open", f"{version}-1", version, kernels)


def kernel(version: str) -> StandIn:
    return StandIn("kernel", "linux-image-generic", f"{version}-1", version)


def fabric_manager(version: str) -> StandIn:
    return StandIn("fabric_manager", "nvidia-fabricmanager", f"{version}-1", version)


@dataclass
class Host:
    """A folder that packages are installed below, their scripts run as dpkg would run them."""

    root: Path
    bin: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "DPKG_ROOT": str(self.root),
                "RAILBED_SIM_ROOT": str(self.root)}  # fmt: skip

    def script(self, name: str, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        script = self.root / f"script.{name}"
        script.write_text(text)
        return subprocess.run(
            ["sh", script, *words], env=self.environment, capture_output=True, text=True, check=False
        )

    def install(
        self, one: StandIn, before: StandIn | None = None, switch: str = ""
    ) -> subprocess.CompletedProcess[str]:
        deb = standin_packages.package(one, switch)
        if "preinst" in deb.scripts:
            assert (
                self.script("preinst", deb.scripts["preinst"], "upgrade" if before else "install").returncode
                == 0
            )
        for path, source in deb.files.items():
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read_bytes() if isinstance(source, Path) else source.encode())
        return self.script("postinst", deb.scripts["postinst"], "configure", before.version if before else "")

    def boot(self) -> None:
        shutil.rmtree(self.root / "run", ignore_errors=True)

    def fabric_manager(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", self.root / "usr/bin/nv-fabricmanager", "-c", "x"], env=self.environment,
                              capture_output=True, text=True, check=False)  # fmt: skip

    def read(self, path: str) -> str | None:
        return (self.root / path).read_text().strip() if (self.root / path).exists() else None

    @property
    def wants_boot(self) -> list[str]:
        return (self.read("run/reboot-required.pkgs") or "").split()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path / "root", tmp_path / "bin")
    (made.root / "var/lib/railbed-sim").mkdir(parents=True)
    (made.root / "var/lib/railbed-sim/hardware.ini").write_text("[system]\ngpus = 2\n")
    made.bin.mkdir()
    for name in ("systemd-tmpfiles", "ldconfig"):
        (made.bin / name).write_text("#!/bin/sh\n")
        (made.bin / name).chmod(0o755)
    return made


def test_a_first_install_needs_no_boot_and_makes_device_nodes(host: Host) -> None:
    assert host.install(kernel(KERNELS[0])).returncode == 0
    assert host.install(driver(NEW, *KERNELS)).returncode == 0
    assert host.wants_boot == []
    nodes = host.read("etc/tmpfiles.d/nvidia-simulated.conf")
    assert nodes is not None and [line.split()[1] for line in nodes.splitlines()] == [
        "/dev/nvidia0",
        "/dev/nvidia1",
    ]


def test_an_upgrade_of_an_idle_driver_works_at_once(host: Host) -> None:
    host.install(driver(OLD))
    assert host.install(driver(NEW), driver(OLD)).returncode == 0
    assert (host.read("run/railbed-sim/driver"), host.wants_boot) == (None, [])


def test_a_driver_that_needs_a_boot_keeps_the_old_module_until_then(host: Host) -> None:
    host.install(driver(OLD))
    assert host.install(driver(NEW), driver(OLD), switch="reboot").returncode == 0
    assert (host.read("run/railbed-sim/driver"), host.wants_boot) == (OLD, ["nvidia-open"])
    assert host.read("run/reboot-required") == "*** System restart required ***"
    host.boot()
    assert (host.read("run/railbed-sim/driver"), host.wants_boot) == (None, [])


def test_going_back_before_the_boot_needs_none(host: Host) -> None:
    host.install(driver(OLD))
    host.install(driver(NEW), driver(OLD), switch="reboot")
    host.boot()
    host.install(driver(OLD), driver(NEW), switch="reboot")
    assert host.install(driver(NEW), driver(OLD)).returncode == 0
    assert host.read("run/railbed-sim/driver") is None


def test_kernel_and_driver_move_together(host: Host) -> None:
    host.install(kernel(KERNELS[0]))
    host.install(driver(OLD, KERNELS[0]))
    assert host.install(kernel(KERNELS[1]), kernel(KERNELS[0])).returncode == 0
    assert host.read("run/railbed-sim/kernel") == KERNELS[0], "the old kernel runs until the boot"
    assert host.install(driver(NEW, KERNELS[1]), driver(OLD, KERNELS[0])).returncode == 0
    assert host.read("run/railbed-sim/driver") == OLD
    assert host.wants_boot == ["linux-image-generic", "nvidia-open"]
    host.boot()
    assert (host.read("usr/lib/railbed-sim/kernel"), host.read("run/railbed-sim/kernel")) == (
        KERNELS[1],
        None,
    )


def test_a_driver_without_a_module_for_the_next_kernel_is_refused(host: Host) -> None:
    host.install(kernel(KERNELS[1]))
    refused = host.install(driver(OLD, KERNELS[0]))
    assert refused.returncode == 1
    assert f"no kernel module of driver {OLD} for kernel {KERNELS[1]}" in refused.stderr


@pytest.mark.parametrize(
    "one", [driver(NEW), kernel("6.8"), fabric_manager(NEW), StandIn("nccl", "libnccl2", "2-1", "2")]
)
def test_any_package_may_be_made_to_fail(host: Host, one: StandIn) -> None:
    assert host.install(one, switch="fail").returncode == 1
    assert host.install(one).returncode == 0
    switch = host.root / f"var/lib/railbed-sim/packages/{one.package}"
    switch.parent.mkdir()
    switch.write_text("fail\n")
    failed = host.install(one)
    assert failed.returncode == 1
    assert "made to fail" in failed.stderr
    switch.unlink()
    assert host.install(one).returncode == 0


def test_a_plain_package_may_need_a_boot(host: Host) -> None:
    one = StandIn("nccl", "libnccl2", "2-1", "2")
    host.install(one, switch="reboot")
    host.install(one, switch="reboot")
    assert host.wants_boot == ["libnccl2"]


def test_the_fabric_manager_refuses_a_foreign_driver(host: Host) -> None:
    host.install(fabric_manager(NEW))
    none = host.fabric_manager()
    assert none.returncode == 1 and "no NVIDIA driver is loaded" in none.stderr
    host.install(driver(OLD))
    foreign = host.fabric_manager()
    assert foreign.returncode == 1
    assert foreign.stderr == (
        f"fabric manager NVIDIA GPU driver interface version {NEW} don't match with driver version {OLD}."
        " Please update with matching NVIDIA driver package.\n"
    )
    assert host.read("run/railbed-sim/fabric") is None
    host.install(driver(NEW), driver(OLD), switch="reboot")
    assert host.fabric_manager().returncode == 1, "the old module is still loaded"
    host.boot()
    assert host.fabric_manager().returncode == 0
    assert host.read("run/railbed-sim/fabric") == NEW


def fields(deb: Path) -> dict[str, str]:
    shown = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ", 1) for line in shown.splitlines() if not line.startswith(" "))


needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb")


@needs_dpkg
def test_files_of_the_whole_table(tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(b"mock")
    table = vendor.stand_ins(vendor.releases())
    (tmp_path / "out").mkdir()
    switches = [Switch("libnccl2", "missing"), Switch("nvidia-open", "missing", f"{NEW}-1")]
    made = standin_packages.write(table, switches, tmp_path, tmp_path / "out", lambda one: library, library)
    found = {(found["Package"], found["Version"]): found for found in map(fields, made)}
    wanted = {(one.package, one.version) for one in table}
    gone = {key for key in wanted if key[0] == "libnccl2" or key == ("nvidia-open", f"{NEW}-1")}
    assert gone and set(found) == wanted - gone
    assert all("simulated" in one["Description"] for one in found.values())
    assert all("example.invalid" in one["Maintainer"] for one in found.values())
    listed = subprocess.run(["dpkg-deb", "-c", tmp_path / "out" / f"nvidia-open_{OLD}-1_amd64.deb"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert "./usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1" in listed
    assert "README.simulated" in listed
    assert listed.splitlines()[-1].split()[1] == "root/root"


def test_every_release_has_its_driver_and_the_one_before() -> None:
    table = vendor.stand_ins(vendor.releases())
    carried = {one.program for one in table if one.component == "nvidia_driver"}
    for release in vendor.releases():
        assert {part.version for part in release.alternatives("nvidia_driver")} <= carried
    assert len(carried) >= 3
    assert len({one.package for one in table if one.component == "fabric_manager"}) >= 1
    cuda = {one.program: one.cuda for one in table if one.component == "nvidia_driver"}
    assert (cuda[OLD], cuda[NEW]) == (12080, 13020)


def test_only_what_the_distribution_does_not_have_is_made() -> None:
    table = vendor.stand_ins([load_release("2026.11")])
    made = {one.component for one in table}
    assert {"nvidia_driver", "fabric_manager", "cuda", "nccl", "dcgm", "container_toolkit", "enroot"} <= made
    assert not made & {"slurm", "munge", "python", "torch", "chrony", "os"}


def test_a_repository_with_switches_is_another_one() -> None:
    digests = {
        packages.repository_digest(), packages.repository_digest([Switch("libnccl2", "fail")]),
        packages.repository_digest([Switch("libnccl2", "missing")]),
    }  # fmt: skip
    assert len(digests) == 3
    assert packages.repository_digest() == packages.repository_digest([])


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck")
def test_scripts_are_clean(tmp_path: Path) -> None:
    """SC2034: what all scripts share sets names that not each of them uses."""
    for one in (
        driver(NEW, *KERNELS),
        kernel("6.8"),
        fabric_manager(NEW),
        StandIn("nccl", "libnccl2", "2-1", "2"),
    ):
        for name, text in standin_packages.package(one).scripts.items():
            (tmp_path / f"{one.package}.{name}").write_text(text)
    scripts = [*tmp_path.iterdir(), debs.SCRIPTS / "nv-fabricmanager"]
    done = subprocess.run(
        ["shellcheck", "--exclude=SC2034", *scripts], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
