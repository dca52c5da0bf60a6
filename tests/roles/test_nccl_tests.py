"""Role nccl_tests: the program that builds it, with stand-ins for make and nvidia-smi, and who gets the role."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.roles import local
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import planned_software, sealed

from railbed.contract import Contract, Software

ROOT = Path(__file__).resolve().parents[2]
HASH = "5" * 64
URL = "https://a.test/v2.17.6.tar.gz"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("build", ROOT / "roles/nccl_tests/files/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = _load()
MAKE = """#!/bin/sh
echo "$@" > {said}
for word in "$@"; do case $word in BUILDDIR=*) to=${{word#*=}};; esac; done
mkdir -p "$to"
for name in {names}; do echo program > "$to/$name"; done
exit {status}
"""
WHOLE = "all_reduce_perf all_gather_perf reduce_scatter_perf alltoall_perf common.o"


class Tools:
    """Stand-ins on the path, and an archive as GitHub makes it: one folder at the top."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.said = folder, folder / "said"
        (folder / "bin").mkdir()
        (folder / "lib/openmpi").mkdir(parents=True)
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        self.program("nvidia-smi", "#!/bin/sh\nprintf '9.0\\n9.0\\n'\n")
        self.make()
        self.archive = folder / "source.tar.gz"
        with tarfile.open(self.archive, "w:gz") as packed:
            text = b"all:\n"
            entry = tarfile.TarInfo("nccl-tests-2.17.6/Makefile")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text))
        self.to = folder / "opt/2.17.6-nccl2.30.4-cuda13.2.1"

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self, names: str = WHOLE, status: int = 0) -> None:
        self.program("make", MAKE.format(said=self.said, names=names, status=status))

    def build(self, sha256: str = "") -> int:
        digest = sha256 or hashlib.sha256(self.archive.read_bytes()).hexdigest()
        argv = [f"--url={self.archive.as_uri()}", f"--sha256={digest}", f"--to={self.to}", "--gpus"]
        made = [
            "MPI=1",
            f"MPI_HOME={self.folder}/*/openmpi",
            "CUDA_HOME=/usr/local/cuda-13.2",
            "BUILDDIR={built}",
        ]
        settings = [f"--set={word}" for word in made]
        needs = [f"--needs={name}" for name in WHOLE.split()[:4]]
        return int(BUILD.main([*argv, *settings, *needs, "--keep=*_perf"]))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools(tmp_path, monkeypatch)


def test_it_is_built_for_the_nodes_gpus_with_mpi(tools: Tools) -> None:
    assert tools.build() == 0
    assert sorted(path.name for path in tools.to.iterdir()) == sorted(WHOLE.split()[:4])
    said = tools.said.read_text()
    assert f"MPI=1 MPI_HOME={tools.folder}/lib/openmpi" in said and "CUDA_HOME=/usr/local/cuda-13.2" in said
    assert "NVCC_GENCODE=-gencode=arch=compute_90,code=sm_90" in said
    assert [path.name for path in tools.to.parent.iterdir()] == [tools.to.name], "nothing half-made stays"


def test_what_is_there_is_not_built_again(tools: Tools) -> None:
    tools.to.mkdir(parents=True)
    assert tools.build("0" * 64) == 0 and not tools.said.exists()


def test_an_earlier_build_goes_when_the_new_one_is_there(tools: Tools) -> None:
    old, other = tools.to.with_name("2.16.3-nccl2.27.7-cuda12.9.1"), tools.to.with_name("mine")
    for folder in (old, other):
        folder.mkdir(parents=True)
    assert tools.build() == 0
    assert not old.exists() and other.exists()


def test_the_build_in_use_stays_until_the_link_is_moved(tools: Tools) -> None:
    old, older = (
        tools.to.with_name("2.16.3-nccl2.27.7-cuda12.9.1"),
        tools.to.with_name("2.15.0-nccl2.1-cuda12.8"),
    )
    for folder in (old, older):
        folder.mkdir(parents=True)
    tools.to.with_name("bin").symlink_to(old)
    assert tools.build() == 0
    assert sorted(path.name for path in tools.to.parent.iterdir()) == [old.name, tools.to.name, "bin"]


@pytest.mark.parametrize("fault", ["hash", "make", "programs", "gpu", "archive", "mpi"])
def test_a_failed_build_leaves_the_old_one(
    fault: str, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tools.to.with_name("2.16.3-nccl2.27.7-cuda12.9.1")
    old.mkdir(parents=True)
    sha256, says = "", "ended with 2"
    if fault == "hash":
        sha256, says = "0" * 64, f"not {'0' * 64}"
    elif fault == "make":
        tools.make(status=2)
    elif fault == "programs":
        tools.make(names="all_reduce_perf")
        says = "left no all_gather_perf, reduce_scatter_perf, alltoall_perf"
    elif fault == "gpu":
        tools.program("nvidia-smi", "#!/bin/sh\necho No devices were found\n")
        says = "names no GPU to build for"
    elif fault == "mpi":
        (tools.folder / "lib/openmpi").rmdir()
        says = "MPI_HOME: nothing is at"
    else:
        tools.archive.write_bytes(b"<html>")
        says = "cannot be unpacked"
    assert tools.build(sha256) == 1
    assert says in capsys.readouterr().err
    assert [path.name for path in tools.to.parent.iterdir()] == [old.name]


def test_several_kinds_of_gpus_are_all_built_for() -> None:
    assert BUILD.targets("10.0\n9.0\n10.0\n") == (
        "-gencode=arch=compute_100,code=sm_100 -gencode=arch=compute_90,code=sm_90"
    )


def whole() -> Contract:
    """Machines of their own with a release that builds nccl-tests."""
    contract = cluster()
    planned = planned_software("2026.12", contract.machines[0], "debian 12")
    planned["files"]["nccl_tests"] = {"url": URL, "sha256": HASH}
    software = Software(**planned, repositories=contract.software.repositories)
    return sealed(contract.model_copy(update={"software": software, "simulated": False, "hosts": "machine"}))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("nccl_tests") / "checkout"
    yield record(folder, whole(), container=False, tags="nccl_tests,packages")


def test_nccl_is_of_the_releases_version_to_the_toolkit_that_it_is_for(machines: Recorded) -> None:
    assert not [one.message for one in machines.collector.nodes.values() if one.failed_task]
    asked = machines.asked["h100-0"]["packages: Install the packages of all roles"]
    wanted = {"libnccl2=2.30.4-1+cuda13.2", "libnccl-dev=2.30.4-1+cuda13.2", "libopenmpi-dev"}
    assert wanted <= set(asked["packages"]) and {"libnccl2", "libnccl-dev"} <= set(asked["hold"])
    pins = machines.text("h100-0", "/etc/apt/preferences.d/railbed")
    assert "Package: libnccl-dev\nPin: version 2.30.4-1+cuda13.2\nPin-Priority: 1002\n" in pins
    assert "Package: nvidia-open\nPin: version 595.71.05-*\n" in pins


def test_the_folder_is_named_after_what_was_built_with_what(machines: Recorded) -> None:
    asked = machines.asked["h100-0"]["nccl_tests: Say where it is"]
    assert asked["links"] == {
        "/opt/railbed/nccl-tests/bin": "/opt/railbed/nccl-tests/2.17.6-nccl2.30.4-cuda13.2.1"
    }
    (called,) = machines.called["h100-0"]["nccl_tests: Build it"]
    assert f"--url={URL}" in called["argv"] and f"--sha256={HASH}" in called["argv"]
    assert (
        f"--to={called['creates']}" in called["argv"]
        and "--set=MPI_HOME=/usr/lib/*/openmpi" in called["argv"]
    )
    assert "--set=CUDA_HOME=/usr/local/cuda-13.2" in called["argv"]


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


@pytest.mark.parametrize("built", [False, True])
def test_the_link_is_moved_only_to_what_was_built(built: bool, tmp_path: Path) -> None:
    """The role's own tasks, with a program that fails in place of the one that builds."""
    opt, new = tmp_path / "opt", tmp_path / "opt/2.17.6-nccl2.30.4-cuda13.2.1"
    old = opt / "2.16.3-nccl2.27.7-cuda12.9.1"
    old.mkdir(parents=True)
    (opt / "bin").symlink_to(old)
    if built:
        new.mkdir()
    program = {"content": "#!/bin/sh\necho no such archive >&2; exit 1\n", "mode": "0755"}
    told = {
        "nccl_tests_program": f"{opt}/build.py", "nccl_tests_files": {f"{opt}/build.py": program},
        "nccl_tests_folder": str(new), "nccl_tests_links": {f"{opt}/bin": str(new)}, "nccl_tests_url": URL,
        "nccl_tests_sha256": HASH, "nccl_tests_cuda_home": "/usr/local/cuda-13.2",
    }  # fmt: skip
    done = local.play(tmp_path, local.role("nccl_tests"), extravars=told)
    said = done.stdout.read()
    assert (
        done.status == ("successful" if built else "failed") and ("no such archive" in said) is not built
    ), said
    assert (opt / "bin").readlink() == (new if built else old)
