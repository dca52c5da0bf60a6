"""The programs of a Kubernetes control plane, built once from the Go modules that control_plane/go.mod pins, into the cache."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from railbed.effects.lock import acquire
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
    digest = hashlib.sha256(VERSION.encode())
    for name in ("go.mod", "go.sum", "etcd/main.go"):
        digest.update((SOURCE / name).read_bytes())
    return cache_dir() / "kubernetes" / digest.hexdigest()[:12]


def ensure(say: Callable[[str], object]) -> Path:
    """The folder with all of them; built if need be. Raises HostError without Go, CommandError where modules cannot be had."""
    path = folder()
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with acquire(path.parent / "lock", "the build of Kubernetes", wait_s=BUILD_TIMEOUT_S):
            if not path.is_dir():
                say(f"building Kubernetes {VERSION}, etcd and KWOK (once; about 9 minutes of processor)")
                _build(path)
    return path


def _build(path: Path) -> None:
    if shutil.which("go") is None:
        raise HostError("Go is not on PATH", found=None, allowed="go ≥ 1.26")
    building = path.with_suffix(".building")
    if building.exists():
        shutil.rmtree(building)
    (building / "stages").mkdir(parents=True)
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    words = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X {MODULE}.{key}={value}" for key, value in words.items())
    for name, package in PROGRAMS.items():
        run(
            ["go", "build", "-p", "2", "-trimpath", "-ldflags", f"-s -w {stamped}", "-o", building / name, package],
            cwd=SOURCE, env=ENVIRONMENT, timeout_s=BUILD_TIMEOUT_S, log=path.parent / "build.log",
        )  # fmt: skip
    listed = run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"], cwd=SOURCE, env=ENVIRONMENT
    ).stdout.strip()
    for stage in STAGES:
        shutil.copy(Path(listed) / "kustomize/stage" / stage, building / "stages" / Path(stage).name)
    building.rename(path)
