"""The programs of a Kubernetes control plane, and Kueue, built once into the cache from the Go modules that go.mod pins beside
each."""

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


KUEUE = Path(__file__).resolve().parent / "kueue"
KUEUE_VERSION, KUEUE_MODULE = "v0.17.0", "sigs.k8s.io/kueue"
"""The same as in its go.mod."""
KUEUE_LINKED = ("-trimpath", "-ldflags", "-s -w")
CRDS = "config/components/crd/bases"
"""Resource definitions in Kueue's module."""


def _named(source: Path, *parts: str) -> str:
    """Names programs by what decides them: ``parts``, the environment and the files of their module."""
    return built_once.key(
        [
            *parts, platform.machine(), *(f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())),
            *(f"{path.relative_to(source)}\n{path.read_text()}" for path in sorted(source.rglob("*")) if path.is_file()),
        ]
    )  # fmt: skip


def folder() -> Path:
    """Where the control plane and KWOK are, or would be."""
    programs = [f"{name} {package}" for name, package in sorted(PROGRAMS.items())]
    return cache_dir() / "kubernetes" / _named(SOURCE, VERSION, *LINKED, *programs, *STAGES)


def kueue_folder() -> Path:
    """Where Kueue and its resource definitions are, or would be."""
    return cache_dir() / "kubernetes" / f"kueue-{_named(KUEUE, KUEUE_VERSION, *KUEUE_LINKED, CRDS)}"


def ensure(say: Callable[[str], object]) -> Path:
    """The control plane; built if need be. Raises HostError without Go, CommandError where modules cannot be had."""
    what = f"Kubernetes {VERSION}, etcd and KWOK (once; about 9 minutes of processor)"
    return _ensured(folder(), what, _build, say)


def ensure_kueue(say: Callable[[str], object]) -> Path:
    """Kueue, as ``ensure``."""
    return _ensured(kueue_folder(), f"Kueue {KUEUE_VERSION} (once)", _build_kueue, say)


def _ensured(place: Path, what: str, build: Callable[[Path], None], say: Callable[[str], object]) -> Path:
    def make(building: Path) -> None:
        say(f"building {what}")
        if shutil.which("go") is None:
            raise HostError("Go is not on PATH", found=None, allowed="go ≥ 1.26")
        build(building)

    return built_once.ensure(place, "the build of Kubernetes", make, wait_s=BUILD_TIMEOUT_S)


def _go(source: Path, program: Path, package: str, linked: tuple[str, ...]) -> None:
    run(
        ["go", "build", "-p", "2", *linked, "-o", program, package],
        cwd=source, env=ENVIRONMENT, timeout_s=BUILD_TIMEOUT_S, log=program.parents[1] / "build.log",
    )  # fmt: skip


def _module(source: Path, module: str) -> Path:
    """Where Go keeps the files of a module."""
    words = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    return Path(run(words, cwd=source, env=ENVIRONMENT).stdout.strip())


def _build_kueue(building: Path) -> None:
    _go(KUEUE, building / "kueue", f"{KUEUE_MODULE}/cmd/kueue", KUEUE_LINKED)
    shutil.copytree(_module(KUEUE, KUEUE_MODULE) / CRDS, building / "crds")


def _build(building: Path) -> None:
    (building / "stages").mkdir()
    for name, package in PROGRAMS.items():
        _go(SOURCE, building / name, package, LINKED)
    kwok = _module(SOURCE, "sigs.k8s.io/kwok")
    for stage in STAGES:
        shutil.copy(kwok / "kustomize/stage" / stage, building / "stages" / Path(stage).name)
