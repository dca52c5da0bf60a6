"""Module `built`, with stand-ins for make and nvidia-smi, and a source whose configure is a script of the test."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

BUILT = modules.load("built")
MAKE = """#!/bin/sh
echo "$@" > {said}
for word in "$@"; do case $word in BUILDDIR=*) to=${{word#*=}}; mkdir -p "$to";; -C) next=1;; *)
    test "$next" = 1 && {{ at=$word; next=; }};; esac; done
for name in {names}; do echo program > "${{to:-$at}}/$name"; done
exit {status}
"""
CONFIGURE = """#!/bin/sh
echo "$@" > configured
echo "#define HAVE_CUDA 1" > config.h
case "$*" in *stubs*) echo "#define HAVE_CUDA_DMABUF 1" >> config.h;; esac
"""
WHOLE = "all_reduce_perf all_gather_perf common.o"
NEEDS = WHOLE.split()[:2]


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
        self.pack({"Makefile": "all:\n"})
        self.to = folder / "opt/2.17.6-nccl2.30.4-cuda13.2.1"
        self.link = self.to.with_name("bin")

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self, names: str = WHOLE, status: int = 0) -> None:
        self.program("make", MAKE.format(said=self.said, names=names, status=status))

    def pack(self, files: dict[str, str]) -> None:
        with tarfile.open(self.archive, "w:gz") as packed:
            for name, text in files.items():
                entry = tarfile.TarInfo(f"nccl-tests-2.17.6/{name}")
                entry.size, entry.mode = len(text), 0o755
                packed.addfile(entry, io.BytesIO(text.encode()))

    def build(self, sha256: str = "", check: bool = False, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = {
            "url": self.archive.as_uri(),
            "sha256": sha256 or hashlib.sha256(self.archive.read_bytes()).hexdigest(),
            "to": str(self.to), "link": str(self.link), "needs": NEEDS, "keep": ["*_perf"], "gpus": True,
            "make": ["MPI=1", f"MPI_HOME={self.folder}/*/openmpi", "BUILDDIR={built}"],
        }  # fmt: skip
        return modules.call(BUILT, check, **told | more)

    def there(self) -> list[str]:
        return sorted(path.name for path in self.to.parent.iterdir()) if self.to.parent.exists() else []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools(tmp_path, monkeypatch)


def test_a_library_keeps_the_link_beside_it(tools: Tools) -> None:
    tools.program(
        "make",
        "#!/bin/sh\nwhile [ $1 != -C ]; do shift; done; cd $2\n"
        "echo one > lib.so.2.5; ln -s lib.so.2.5 lib.so; mkdir away; echo two > away/far.h; ln -s away/far.h far.h\n",
    )
    assert tools.build(needs=["lib.so"], keep=["lib.so*", "far.h"], make=["lib"], gpus=False)["changed"]
    assert (tools.to / "lib.so").readlink() == Path("lib.so.2.5") and (
        tools.to / "lib.so"
    ).read_text() == "one\n"
    assert not (tools.to / "far.h").is_symlink() and (tools.to / "far.h").read_text() == "two\n"


def opened(tools: Tools, files: dict[str, str], to: str = "libmpi.so.40", **more: Any) -> dict[str, Any]:
    """A tar of bzip2 with programs in folders, as NVIDIA's HPC-X is."""
    tools.archive = tools.archive.with_name("hpcx.tbz")
    with tarfile.open(tools.archive, "w:bz2") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"hpcx-v2.25.1/{name}")
            entry.size, entry.mode, entry.uid, entry.gid = len(text), 0o4777, 50326, 50326
            packed.addfile(entry, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("hpcx-v2.25.1/ompi/lib/libmpi.so")
        link.type, link.linkname = tarfile.SYMTYPE, to
        packed.addfile(link)
    told = {
        "whole": True,
        "needs": ["hpcx-init.sh", "ompi/bin/mpirun"],
        "keep": [],
        "make": [],
        "gpus": False,
    }
    return tools.build(**told | more)


PROGRAMS = {
    "hpcx-init.sh": "hpcx_load() { :; }\n",
    "ompi/bin/mpirun": "program\n",
    "ompi/lib/libmpi.so.40": "library\n",
}


def test_an_archive_of_programs_is_kept_whole(tools: Tools) -> None:
    assert opened(tools, PROGRAMS, check=True)["changed"] and not tools.there()
    assert opened(tools, PROGRAMS)["changed"]
    assert (tools.to / "ompi/bin/mpirun").read_text() == "program\n" and os.access(
        tools.to / "ompi/bin/mpirun", os.X_OK
    )
    assert (tools.to / "ompi/lib/libmpi.so").readlink() == Path("libmpi.so.40")
    program = (tools.to / "ompi/bin/mpirun").stat()
    assert (program.st_uid, program.st_mode & 0o7777) == (os.geteuid(), 0o755), "not the archive's"
    assert tools.link.readlink() == tools.to and tools.there() == [tools.to.name, "bin"]
    assert not opened(tools, PROGRAMS, sha256="0" * 64)["changed"], "what is there is not fetched again"
    assert not tools.said.exists(), "make was not asked"
    (tools.to / "ompi/bin/mpirun").unlink()
    assert opened(tools, PROGRAMS)["changed"] and (tools.to / "ompi/bin/mpirun").exists()


@pytest.mark.parametrize(
    ("files", "sha256", "says"),
    [
        (PROGRAMS, "0" * 64, f"not {'0' * 64}"),
        ({"hpcx-init.sh": "text\n"}, "", "the archive has no ompi/bin/mpirun"),
    ],
)
def test_an_archive_with_another_hash_or_without_its_programs_is_not_opened(
    files: dict[str, str], sha256: str, says: str, tools: Tools
) -> None:
    refused = opened(tools, files, **({"sha256": sha256} if sha256 else {}))
    assert refused["failed"] and says in refused["msg"] and not tools.link.exists()
    assert [name for name in tools.there() if not name.startswith(".")] == []


def test_an_archive_that_leads_outside_is_not_opened_nor_tried_again(tools: Tools) -> None:
    found = opened(tools, PROGRAMS, to="/usr/lib/libmpi.so", optional=True)
    assert "ompi/lib/libmpi.so leads outside the archive" in found["lacking"] and not tools.link.exists()
    assert tools.there() == [f".failed-{tools.to.name}"]


def test_half_an_archive_leaves_what_was_there(tools: Tools) -> None:
    opened(tools, PROGRAMS)
    tools.to = tools.to.with_name("2.26-opened")
    whole = tools.archive.read_bytes()
    tools.archive.write_bytes(whole[: len(whole) // 2])
    half = hashlib.sha256(tools.archive.read_bytes()).hexdigest()
    told = {"whole": True, "needs": ["hpcx-init.sh"], "keep": [], "make": [], "gpus": False, "optional": True}
    found = tools.build(half, **told)
    assert "the archive cannot be unpacked" in found["lacking"]
    assert tools.link.resolve().name == "2.17.6-nccl2.30.4-cuda13.2.1" and not tools.to.exists()


def test_it_is_built_for_the_nodes_gpus_with_mpi(tools: Tools) -> None:
    assert tools.build()["changed"]
    assert sorted(path.name for path in tools.to.iterdir()) == sorted(NEEDS)
    said = tools.said.read_text()
    assert f"MPI=1 MPI_HOME={tools.folder}/lib/openmpi" in said
    assert "NVCC_GENCODE=-gencode=arch=compute_90,code=sm_90" in said
    assert tools.there() == [tools.to.name, "bin"], "nothing half-made stays"
    assert tools.link.readlink() == tools.to


def test_what_is_there_is_not_built_again(tools: Tools) -> None:
    tools.to.mkdir(parents=True)
    for name in NEEDS:
        (tools.to / name).write_text("program\n")
    assert tools.build("0" * 64)["changed"], "the link is missing"
    assert not tools.build("0" * 64)["changed"] and not tools.said.exists()


@pytest.mark.parametrize("fault", ["absent", "empty"])
def test_a_folder_without_a_whole_program_is_built_anew(fault: str, tools: Tools) -> None:
    tools.build()
    program = tools.to / NEEDS[1]
    if fault == "absent":
        program.unlink()
    else:
        program.write_text("")
    assert tools.build(check=True)["changed"] and tools.build()["changed"]
    assert program.read_text() == "program\n" and tools.there() == [tools.to.name, "bin"]


def test_make_that_leaves_an_empty_program_is_no_build(tools: Tools) -> None:
    tools.make(names="all_reduce_perf")
    tools.program(
        "make", (tools.folder / "bin/make").read_text().replace("exit 0", ': > "$to/all_gather_perf"')
    )
    assert "left no all_gather_perf" in tools.build()["lacking"] and not tools.to.exists()


def test_others_may_run_it_whatever_the_mask_and_few_compilers_run_politely(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 224)
    tools.program(
        "nice", '#!/bin/sh\nprintf "%s\\n" "$*" >> ' + f"{tools.folder}/nice\n" + 'shift 2; exec "$@"\n'
    )
    before = os.umask(0o077)
    try:
        tools.build()
    finally:
        os.umask(before)
    assert tools.to.stat().st_mode & 0o777 == 0o755 and (tools.to / NEEDS[0]).stat().st_mode & 0o044 == 0o044
    assert "-n 19 make -j16 " in (tools.folder / "nice").read_text()


def test_what_a_run_that_was_cut_off_left_goes(tools: Tools) -> None:
    tools.build()
    left = tools.to.with_name(".building-x1y2")
    (left / "source").mkdir(parents=True)
    assert not tools.build(check=True)["changed"] and left.exists(), "check mode removes nothing"
    assert not tools.build()["changed"] and not left.exists()


def test_an_optional_build_that_failed_is_tried_again_for_another_source_only(tools: Tools) -> None:
    tools.make(status=2)
    first = tools.build(optional=True)
    tools.said.unlink()
    for check in (False, True):
        again = tools.build(optional=True, check=check)
        assert not again["changed"] and again["lacking"] == first["lacking"] and not tools.said.exists()
    assert tools.build()["failed"] and tools.said.exists(), "who needs it tries again"
    tools.make()
    tools.pack({"Makefile": "all: \n"})
    answer = tools.build(optional=True)
    assert answer["changed"] and not answer["lacking"] and tools.there() == [tools.to.name, "bin"]


@pytest.mark.parametrize("fault", ["fetch", "gpu"])
def test_what_never_came_to_be_built_is_tried_again(fault: str, tools: Tools) -> None:
    if fault == "gpu":
        tools.program("nvidia-smi", "#!/bin/sh\nexit 9\n")
    away = {"url": f"{tools.archive.as_uri()}.away"} if fault == "fetch" else {}
    lacking = tools.build(optional=True, **away)["lacking"]
    tools.program("nvidia-smi", "#!/bin/sh\necho 9.0\n")
    assert lacking and tools.build(optional=True)["changed"]


def test_check_mode_writes_nothing(tools: Tools) -> None:
    assert tools.build(check=True)["changed"] and not tools.there() and not tools.said.exists()
    tools.build()
    assert not tools.build(check=True)["changed"]


def test_an_earlier_build_goes_when_the_new_one_is_in_use(tools: Tools) -> None:
    used, old, other = (tools.to.with_name(name) for name in ("2.16.3-nccl2.27.7", "2.15.0-nccl2.1", "mine"))
    for folder in (used, old, other):
        folder.mkdir(parents=True)
    tools.link.symlink_to(used)
    tools.build()
    assert tools.there() == [used.name, tools.to.name, "bin", "mine"], "a job may still run the one before"


@pytest.mark.parametrize("fault", ["hash", "make", "programs", "gpu", "archive", "mpi", "configure"])
@pytest.mark.parametrize("optional", [False, True])
def test_a_failed_build_leaves_the_old_one(fault: str, optional: bool, tools: Tools) -> None:
    old = tools.to.with_name("2.16.3-nccl2.27.7-cuda12.9.1")
    old.mkdir(parents=True)
    tools.link.symlink_to(old)
    sha256, says, more = "", "ended with 2", dict[str, Any]()
    if fault == "hash":
        sha256, says = "0" * 64, f"not {'0' * 64}"
    elif fault == "make":
        tools.make(status=2)
    elif fault == "programs":
        tools.make(names="all_reduce_perf")
        says = "left no all_gather_perf"
    elif fault == "gpu":
        tools.program("nvidia-smi", "#!/bin/sh\necho No devices were found\n")
        says = "names no GPU to build for"
    elif fault == "mpi":
        (tools.folder / "lib/openmpi").rmdir()
        says = "MPI_HOME: nothing is at"
    elif fault == "configure":
        more, says = {"configure": ["CUDA_H_PATH=/cuda.h"]}, "has no configure"
    else:
        tools.archive.write_bytes(b"<html>")
        says = "cannot be unpacked"
    answer = tools.build(sha256, optional=optional, **more)
    assert says in answer["lacking"] and not answer.get("changed")
    assert bool(answer.get("failed")) is (not optional or fault == "hash"), "another hash is never a warning"
    noted = [f".failed-{tools.to.name}"] if optional and fault in ("make", "programs", "configure") else []
    assert tools.there() == [*noted, old.name, "bin"] and tools.link.readlink() == old


@pytest.mark.parametrize("stubs", [True, False])
def test_a_source_is_configured_and_a_missing_feature_is_no_build(stubs: bool, tools: Tools) -> None:
    tools.pack({"Makefile": "all:\n", "configure": CONFIGURE})
    words = ["CUDA_H_PATH=/cuda.h", *(["LDFLAGS=-L/stubs"] if stubs else [])]
    answer = tools.build(
        configure=words, defines=["HAVE_CUDA", "HAVE_CUDA_DMABUF"], make=[], gpus=False, optional=True
    )
    assert answer["changed"] is stubs and tools.to.is_dir() is stubs
    assert ("found no HAVE_CUDA_DMABUF" in answer["lacking"]) is not stubs
    assert "HAVE_CUDA," not in answer["lacking"]


def test_several_kinds_of_gpus_are_all_built_for() -> None:
    assert BUILT.targets("10.0\n9.0\n10.0\n") == (
        "-gencode=arch=compute_100,code=sm_100 -gencode=arch=compute_90,code=sm_90"
    )
