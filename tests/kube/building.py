"""The programs of a Kubernetes control plane, built once from the Go modules that control_plane/go.mod pins, into the cache."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from railbed.effects import built_once
from railbed.effects.workspace import cache_dir
from railbed.errors import HostError
from railbed.run import run

SOURCE = Path(__file__).resolve().parent / "control_plane"
PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "etcd": "./etcd",
}
VERSION = "v1.37.2"
"""Of Kubernetes: the same as in go.mod."""
MODULE = "k8s.io/component-base/version"
STAMPS = {
    "gitVersion": VERSION, "gitMajor": VERSION.removeprefix("v").split(".")[0], "gitMinor": VERSION.split(".")[1],
    "gitTreeState": "clean",
}  # fmt: skip
LINKED = (
    "-trimpath",
    "-ldflags",
    " ".join(["-s -w", *(f"-X {MODULE}.{key}={value}" for key, value in STAMPS.items())]),
)
STAGES = (
    "node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "node/chaos/node-not-ready.yaml", "pod/fast/pod-ready.yaml", "pod/fast/pod-delete.yaml",
)  # fmt: skip
"""What KWOK plays on nodes and pods, of its own module's files. Pods never complete by themselves."""
BUILD_TIMEOUT_S = 3600.0
"""About nine minutes of processor; on a busy machine several times that."""
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}


def folder() -> Path:
    """Where the programs are, or would be: named by what decides them."""
    sources = [path for path in sorted(SOURCE.rglob("*")) if path.is_file()]
    parts = [
        VERSION, *LINKED, platform.machine(), *(f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())),
        *(f"{name} {package}" for name, package in sorted(PROGRAMS.items())), *STAGES,
        *(f"{path.relative_to(SOURCE)}\n{path.read_text()}" for path in sources),
    ]  # fmt: skip
    return cache_dir() / "kubernetes" / built_once.key(parts)


def ensure(say: Callable[[str], object]) -> Path:
    """The folder with all of them; built if need be. Raises HostError without Go, CommandError where modules cannot be had."""

    def make(building: Path) -> None:
        say(f"building Kubernetes {VERSION}, etcd and KWOK (once; about 9 minutes of processor)")
        _build(building)

    return built_once.ensure(folder(), "the build of Kubernetes", make, wait_s=BUILD_TIMEOUT_S)


def _build(building: Path) -> None:
    if shutil.which("go") is None:
        raise HostError("Go is not on PATH", found=None, allowed="go ≥ 1.26")
    (building / "stages").mkdir()
    for name, package in PROGRAMS.items():
        run(
            ["go", "build", "-p", "2", *LINKED, "-o", building / name, package],
            cwd=SOURCE, env=ENVIRONMENT, timeout_s=BUILD_TIMEOUT_S, log=building.parent / "build.log",
        )  # fmt: skip
    listed = run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"], cwd=SOURCE, env=ENVIRONMENT
    ).stdout.strip()
    for stage in STAGES:
        shutil.copy(Path(listed) / "kustomize/stage" / stage, building / "stages" / Path(stage).name)
