"""The programs of a Kubernetes control plane, and Kueue, built once into the cache from the Go modules that go.mod pins beside
each."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
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


KUEUE = Path(__file__).resolve().parent / "kueue"
KUEUE_VERSION, KUEUE_MODULE = "v0.17.0", "sigs.k8s.io/kueue"
"""The same as in its go.mod."""
CRDS = "config/components/crd/bases"
"""Resource definitions in Kueue's module."""


def _named(prefix: str, version: str, files: Iterable[Path]) -> Path:
    """Where programs are, or would be: named by what decides them."""
    digest = hashlib.sha256(version.encode())
    for one in files:
        digest.update(one.read_bytes())
    return cache_dir() / "kubernetes" / f"{prefix}{digest.hexdigest()[:12]}"


def folder() -> Path:
    """Of the control plane and KWOK."""
    return _named("", VERSION, (SOURCE / name for name in ("go.mod", "go.sum", "etcd/main.go")))


def kueue_folder() -> Path:
    """Of Kueue and its resource definitions."""
    return _named("kueue-", KUEUE_VERSION, (KUEUE / name for name in ("go.mod", "go.sum")))


def ensure(say: Callable[[str], object]) -> Path:
    """The control plane; built if need be. Raises HostError without Go, CommandError where modules cannot be had."""
    what = f"Kubernetes {VERSION}, etcd and KWOK (once; about 9 minutes of processor)"
    return _ensured(folder(), what, _build, say)


def ensure_kueue(say: Callable[[str], object]) -> Path:
    """Kueue, as ``ensure``."""
    return _ensured(kueue_folder(), f"Kueue {KUEUE_VERSION} (once)", _build_kueue, say)


def _ensured(path: Path, what: str, build: Callable[[Path], None], say: Callable[[str], object]) -> Path:
    if path.is_dir():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with acquire(path.parent / "lock", "the build of Kubernetes", wait_s=BUILD_TIMEOUT_S):
        if not path.is_dir():
            say(f"building {what}")
            if shutil.which("go") is None:
                raise HostError("Go is not on PATH", found=None, allowed="go ≥ 1.26")
            building = path.with_suffix(".building")
            if building.exists():
                shutil.rmtree(building)
            building.mkdir()
            build(building)
            building.rename(path)
    return path


def _go(source: Path, program: Path, package: str, stamped: str = "") -> None:
    run(
        ["go", "build", "-p", "2", "-trimpath", "-ldflags", f"-s -w {stamped}", "-o", program, package],
        cwd=source, env=ENVIRONMENT, timeout_s=BUILD_TIMEOUT_S, log=program.parents[1] / "build.log",
    )  # fmt: skip


def _module(source: Path, module: str) -> Path:
    """Where Go keeps the files of a module."""
    words = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    return Path(run(words, cwd=source, env=ENVIRONMENT).stdout.strip())


def _build_kueue(building: Path) -> None:
    _go(KUEUE, building / "kueue", f"{KUEUE_MODULE}/cmd/kueue")
    shutil.copytree(_module(KUEUE, KUEUE_MODULE) / CRDS, building / "crds")


def _build(building: Path) -> None:
    (building / "stages").mkdir()
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    words = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X {MODULE}.{key}={value}" for key, value in words.items())
    for name, package in PROGRAMS.items():
        _go(SOURCE, building / name, package, stamped)
    kwok = _module(SOURCE, "sigs.k8s.io/kwok")
    for stage in STAGES:
        shutil.copy(kwok / "kustomize/stage" / stage, building / "stages" / Path(stage).name)
