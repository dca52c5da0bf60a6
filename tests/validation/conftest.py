"""A node made of files: commands on PATH that say what real ones said, and a root with /sys, /dev and /proc."""

from __future__ import annotations

import json
import os
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.replay.remote import Site
from tests.support.replay.suite import CHECKS

from railbed.configure import health
from railbed.contract import NodeImage
from railbed.validate import on_node
from railbed.validate.node import scheduler_files
from railbed.validate.node.probe import Finding, Probe
from railbed.validate.node.test_identity import facts

DATA = Path(__file__).parent / "data"
PAM = """account sufficient pam_succeed_if.so quiet user = root
account optional pam_echo.so Access denied by pam_slurm_adopt: you have no active jobs on this node
account required pam_deny.so
"""
"""What role slurm_node makes of the service, with Linux-PAM's own modules for the one that needs a scheduler."""
RAILS = 8
IMDS = "169.254.169.254"
FAKE = """#!/bin/sh
key=$(printf %s "$*" | LC_ALL=C /usr/bin/tr -c a-zA-Z0-9 _)
for name in "$key" any; do
    if [ -e {folder}/"$name.out" ]; then
        /bin/cat {folder}/"$name.out"
        code=0
        [ ! -e {folder}/"$name.rc" ] || read -r code < {folder}/"$name.rc" || [ "$code" ]
        exit "$code"
    fi
done
echo "fake: no answer recorded for $key" >&2
exit 99
"""
"""In the shell, as it starts ten times as fast as Python; a check starts dozens of commands."""


@dataclass
class World:
    """One node. Checks see its commands and files, and nothing of this machine's."""

    folder: Path
    installed: Path
    """The health check as the role lays it out on nodes."""
    want: dict[str, Any] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def command(self, name: str, out: str, code: int = 0, *, arguments: str = "") -> None:
        """A command that says ``out``; without ``arguments`` whatever it is asked."""
        answers = self.folder / "answers" / name
        answers.mkdir(parents=True, exist_ok=True)
        key = re.sub(r"[^a-zA-Z0-9]", "_", arguments) if arguments else "any"
        (answers / f"{key}.out").write_text(out)
        (answers / f"{key}.rc").write_text(str(code))
        self._install(name, answers)

    def recorded(self, name: str, answers: Path) -> None:
        """A command that answers every known command line with what was recorded."""
        self._install(name, answers)

    def _install(self, name: str, answers: Path) -> None:
        self.script(name, FAKE.format(folder=shlex.quote(str(answers))))

    def script(self, name: str, text: str) -> None:
        """A command that is this Python program."""
        self.bin.mkdir(parents=True, exist_ok=True)
        script = self.bin / name
        script.write_text(text if text.startswith("#!") else f"#!{sys.executable} -IS\n{text}")
        script.chmod(0o755)

    def without(self, name: str) -> None:
        (self.bin / name).unlink()

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def environment(self) -> dict[str, str]:
        """The checks' PATH: the fakes, and of this machine only what a shell needs."""
        tools = self.folder / "tools"
        if not tools.exists():
            tools.mkdir()
            for name in ("sh", "timeout", "env", "cat", "stat", "true", "false", "sleep"):
                found = shutil.which(name)
                assert found
                (tools / name).symlink_to(found)
        return {**os.environ, "PATH": f"{self.bin}:{tools}", "RAILBED_ROOT": str(self.root)}

    def suite(self, *claims: str) -> dict[str, dict[str, Any]]:
        """Runs the on-node suite as it is sent to nodes; claim → record."""
        target = self.folder / "bundle"
        shutil.rmtree(target, ignore_errors=True)
        (target / "railbed/validate").mkdir(parents=True)
        for name in on_node.EMPTY:
            (target / name).touch()
        shutil.copytree(on_node.SUITE, target / on_node.PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        (target / "expectations.json").write_text(json.dumps({**self.want, "claims": list(claims)}))
        environment = {
            **self.environment(), "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1",
            "RAILBED_EXPECTATIONS": str(target / "expectations.json"),
            "RAILBED_RESULTS": str(target / "results.json"),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", target, "-p",
             "no:cacheprovider", "--hosts=local://", target / on_node.PACKAGE],
            env=environment, cwd=target, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        results = target / "results.json"
        assert results.exists(), done.stdout + done.stderr
        return {record["claim"]: record for record in json.loads(results.read_text())}

    def check(self, claim: str, monkeypatch: pytest.MonkeyPatch) -> Finding:
        """Runs the check behind a claim without the suite around it, which takes a second to start."""
        monkeypatch.setenv("PATH", self.environment()["PATH"])
        said: list[Finding] = []
        CHECKS[claim](Probe(str(self.root)), self.want, said.append)
        return said[0]

    def shown(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What the node shows of itself, without the suite around it."""
        monkeypatch.setenv("PATH", self.environment()["PATH"])
        return facts(Probe(str(self.root)), self.want)

    def health(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the scheduler's health check as its own program, without this Python's packages: railbed is one of them."""
        path = self.folder / "expectations.json"
        path.write_text(json.dumps(self.want))
        environment = {
            **self.environment(),
            "RAILBED_EXPECTATIONS": str(path),
            "FAKE_SLURM": str(self.slurm_file),
        }
        return subprocess.run(
            [sys.executable, "-ISB", self.installed, *arguments], capture_output=True, text=True, check=False,
            env=environment, timeout=60,
        )  # fmt: skip

    def hook(self, name: str, **of_slurm: str) -> subprocess.CompletedProcess[str]:
        """Runs the program of Slurm's Prolog or Epilog as slurmd does, with these variables."""
        path = self.folder / "expectations.json"
        path.write_text(json.dumps(self.want))
        environment = {
            **self.environment(), "RAILBED_EXPECTATIONS": str(path), "FAKE_SLURM": str(self.slurm_file), **of_slurm,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-ISB", self.installed.with_name(f"{name}.py")], capture_output=True, text=True, check=False,
            env=environment, timeout=60,
        )  # fmt: skip

    @property
    def slurm_file(self) -> Path:
        return self.folder / "slurm.json"

    def slurm(self) -> dict[str, Any]:
        """What the scheduler has; with the health check's orders under ``orders``."""
        found: dict[str, Any] = json.loads(self.slurm_file.read_text())
        return found

    def order(self, **changes: Any) -> None:
        """Changes what the scheduler has of this node, or (``silent``) of itself."""
        known = self.slurm()
        silent = changes.pop("silent", None)
        if silent is not None:
            known["silent"] = silent
        known["nodes"][self.want["node"]].update(changes)
        self.slurm_file.write_text(json.dumps(known))


class Sites(dict[str, Site]):
    """Replayed clusters by kind, each made when it is first asked for."""

    def __init__(self, make: Callable[[str], Path]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, kind: str) -> Site:
        self[kind] = Site(kind, self.make(kind))
        return self[kind]


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    return Sites(tmp_path_factory.mktemp)


ROOT = Path(__file__).resolve().parents[2]
SHARED: list[str] = yaml.safe_load((ROOT / "roles/checks/vars/main.yml").read_text())["checks_shared"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The health check's program as the role lays it out on nodes, compiled; nothing else of railbed is there."""
    target, package = tmp_path_factory.mktemp("installed"), on_node.SUITE.parents[2]
    for file in (*on_node.SUITE.glob("*.py"), *(package / name for name in SHARED)):
        copy = target / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
        py_compile.compile(str(copy), doraise=True)
    return target / on_node.PACKAGE / "healthcheck.py"


@pytest.fixture
def world(tmp_path: Path, installed: Path) -> World:
    """A healthy node."""
    made = World(tmp_path, installed)
    packages = dict(line.split("\t")[:2] for line in (DATA / "dpkg-query.txt").read_text().splitlines())
    made.want = {
        "node": "h100-0", "role": "compute", "gpus": 8, "gpu_model": "NVIDIA H100 80GB HBM3",
        "gpu_memory_mib": 81559, "driver": "570.124.06", "fabric_manager": "570.124.06", "dcgm": "4.4.1",
        "containers": {"enroot": "4.0.1", "container_toolkit": "1.18.2"},
        "rails": [
            {"index": i, "netdev": f"rail{i}", "address": f"10.91.{i}.11/24", "mtu": 9000} for i in range(RAILS)
        ],
        "mounts": [{"path": str(tmp_path), "kind": "moosefs"}],
        "packages": {name: version.split("-")[0] for name, version in packages.items()},
        "image": NodeImage().model_dump(mode="json"), "release": "2026.11",
        "held_packages": {"nvidia-open": "driver"}, "image_parts": {"nvidia_driver": "driver"},
        "nofile_min": 16384, "memlock_min_kib": None, "time_offset_s": 0.05,
        "reservation": "railbed-acceptance", "pool": "h100", "names": ["ctl0"], "login": "root",
        "imds": [IMDS, "fd00:ec2::254"],
        "health": {
            **health.settings(), "confirm_s": 0.0, "start_check_s": 20.0, "start_confirm_s": 0.0, "spread_s": 0.0,
            "settle_s": 0.0,
        },
    }  # fmt: skip
    made.recorded("nvidia-smi", DATA / "nvidia-smi/good")
    made.command("ip", (DATA / "ip-address.json").read_text())
    made.command("chronyc", (DATA / "chronyc-tracking.csv").read_text())
    made.command("dpkg-query", (DATA / "dpkg-query.txt").read_text())
    made.command("srun", "unlimited\n1048576\n")
    made.command("nv-fabricmanager", "Fabric Manager version is : 570.124.06\n")
    made.command("systemctl", "active\n")
    made.recorded("dcgmi", DATA / "dcgmi/good")
    made.command("getent", "10.90.0.10 ctl0\n")
    made.script("scontrol", Path(__file__).with_name("fake_scontrol.py").read_text())
    nodes = {f"h100-{i}": {"state": "IDLE", "pool": "h100"} for i in range(4)}
    made.slurm_file.write_text(json.dumps({"nodes": nodes}))
    made.command("enroot", "4.0.1\n")
    made.command("nvidia-ctk", "NVIDIA Container Toolkit CLI version 1.18.2\ncommit: f202b80a\n")
    made.write("/etc/enroot/enroot.conf", "ENROOT_DATA_PATH /var/lib/enroot/data/user-$(id -u)\n")
    (made.root / "var/lib/enroot/data").mkdir(parents=True)
    (made.root / "var/lib/enroot/data").chmod(0o1777)
    for i in range(RAILS):
        made.write(f"/sys/class/net/rail{i}/operstate", "up\n")
        made.write(f"/sys/class/net/rail{i}/carrier", "1\n")
        made.write(f"/sys/class/net/rail{i}/mtu", "9000\n")
        made.write(f"/dev/nvidia{i}", "")
    made.write("/etc/machine-id", "0f8c2a4e6b1d4c3f9a7e5d2b1c0f8e6a\n")
    made.write("/sys/class/dmi/id/product_serial", "S449821X4B0123\n")
    made.write("/sys/class/infiniband/mlx5_0/node_guid", "0c42:a103:0065:1a2b\n")
    made.write("/sys/class/infiniband/mlx5_9/node_guid", "0c42:a103:0065:1a2c\n")
    (made.root / "sys/class/infiniband/mlx5_9/device/physfn").mkdir(parents=True)
    made.write("/proc/mounts", f"mfs\\043ctl0:9421 {tmp_path} fuse rw,nosuid,nodev,relatime 0 0\n")
    for name in scheduler_files.NAMES:
        made.write(f"{scheduler_files.FOLDER}/{name}", f"# {name}\n")
    made.want["scheduler"] = {
        "controller": "ctl0", "files": scheduler_files.digests(str(made.root)), "credential": "MUNGE:AwQ=:",
    }  # fmt: skip
    made.command("unmunge", "")
    # What connecting came to: for root by itself, for another user through setpriv.
    made.command("python3", json.dumps([IMDS]))
    made.command("setpriv", "[]")
    made.write("/etc/pam.d/sshd", PAM)
    return made
