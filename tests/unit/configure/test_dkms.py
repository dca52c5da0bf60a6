"""Kernel modules of module `built`. A stand-in keeps builds in a folder and prints what DKMS 3.0.10 (Debian 12) printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

BUILT = modules.load("built")
KERNEL = os.uname().release
STANDIN = """
import os, sys
from pathlib import Path
tree, sources = Path({tree!r}), Path({sources!r})
words = sys.argv[1:]
with open({said!r}, "a") as said:
    print(*words[:2], file=said)
if words[0] == "status":
    for one in sorted(tree.iterdir()):
        name, version = one.name.split("@")
        state = one.read_text()
        print(f"{{name}}/{{version}}" + (": added" if state == "added" else f", {kernel}, x86_64: {{state}}"))
    sys.exit(0)
name, version = words[1].split("/")
mine = tree / f"{{name}}@{{version}}"
if words[0] == "add":
    if mine.exists():
        sys.exit("Error! DKMS tree already contains: " + words[1])
    mine.write_text("added")
elif words[0] == "build":
    if "#error" in (sources / f"{{name}}-{{version}}/toy.c").read_text():
        Path({log!r}).write_text("DKMS make.log\\n" * 30 + "toy.c:1:2: error: #error no\\n")
        print("Error! Bad return status for module build on kernel: {kernel} (x86_64)", file=sys.stderr)
        print("Consult {log} for more information.", file=sys.stderr)
        sys.exit(10)
    mine.write_text("built")
elif words[0] == "install":
    others = [one for one in tree.iterdir() if one != mine and one.read_text() == "installed"]
    mine.write_text("installed" + (" (WARNING! Diff between built and installed module!)" if others else ""))
elif words[0] == "remove":
    mine.unlink()
"""


class Node:
    """Sources of a module, and what DKMS knows."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.source, self.sources, self.said = folder / "source", folder / "usr-src", folder / "said"
        self.tree, self.link = folder / "tree", folder / "link"
        for one in (self.source, self.sources, self.tree, folder / "bin", folder / "log"):
            one.mkdir()
        (self.source / "toy.c").write_text("int a;\n")
        (self.source / "Makefile").write_text("all:\n")
        (self.source / "lib.so").write_text("not for the kernel\n")
        self.link.symlink_to(self.source)
        modules.program(
            folder / "bin", "dkms",
            STANDIN.format(
                tree=str(self.tree), sources=str(self.sources), said=str(self.said), kernel=KERNEL,
                log=str(folder / "log/make.log"),
            ),
        )  # fmt: skip
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setattr(modules.DKMS, "SOURCES", self.sources)

    def build(self, check: bool = False, optional: bool = False, **more: Any) -> dict[str, Any]:
        """The library is there already: what it takes is in test_built.py."""
        told = {
            "name": "toy", "version": "2.5.2-595.71.05", "patterns": ["*.c", "Makefile"], "make": "KVER=$kernelver",
        }  # fmt: skip
        return modules.call(
            BUILT, check, url="file:///nowhere", sha256="5" * 64, to=str(self.source), link=str(self.link), needs=["lib.so"],
            kernel_module=told | more, optional=optional,
        )  # fmt: skip

    def known(self) -> dict[str, str]:
        return {one.name.partition("@")[2]: one.read_text() for one in self.tree.iterdir()}

    def there(self) -> list[str]:
        return sorted(one.name for one in self.sources.iterdir())


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_it_is_built_once_for_the_kernel_that_runs_and_by_dkms_for_later_ones(node: Node) -> None:
    assert node.build(check=True)["changed"] and not node.there(), "check mode writes nothing"
    assert node.build() == {**node.build(), "changed": True}
    folder = node.sources / "toy-2.5.2-595.71.05"
    assert sorted(one.name for one in folder.iterdir()) == ["Makefile", "dkms.conf", "toy.c"]
    text = (folder / "dkms.conf").read_text()
    assert 'AUTOINSTALL="yes"' in text and "MAKE[0]=\"'make' KVER=$kernelver\"" in text
    assert not node.build()["changed"] and not node.build(check=True)["changed"]
    assert node.said.read_text().count("build toy/") == 1


@pytest.mark.parametrize("what", ["source", "version", "left half-way", "of another kernel"])
def test_another_build_takes_its_place(node: Node, what: str) -> None:
    node.build()
    more: dict[str, Any] = {}
    if what == "source":
        (node.source / "toy.c").write_text("int b;\n")
    elif what == "version":
        more = {"version": "2.5.2-600.1"}
    elif what == "left half-way":
        (node.tree / "toy@2.5.2-595.71.05").write_text("added")
    else:
        (node.tree / "toy@2.5.2-595.71.05").write_text(
            "installed (WARNING! Diff between built and installed module!)"
        )
    assert node.build(check=True, **more)["changed"] and node.build(**more)["changed"]
    version = more.get("version", "2.5.2-595.71.05")
    assert node.known() == {version: "installed"} and node.there() == [f"toy-{version}"]
    assert not node.build(**more)["changed"]


def test_one_that_does_not_build_leaves_the_one_before_and_says_why(node: Node) -> None:
    node.build()
    (node.source / "toy.c").write_text("#error no\n")
    for _ in range(2):
        answer = node.build(version="3", optional=True)
        assert not answer["changed"] and "Bad return status" in answer["lacking"]
        assert answer["lacking"].endswith("toy.c:1:2: error: #error no")
        assert node.known() == {"2.5.2-595.71.05": "installed"} and node.there() == ["toy-2.5.2-595.71.05"]
    assert node.build(version="3")["failed"]


def test_a_source_that_is_not_there_is_named(node: Node) -> None:
    answer = node.build(patterns=["*.c", "*.h"])
    assert answer["failed"] and "nothing in" in answer["msg"] and "*.h" in answer["msg"] and not node.there()
    assert node.build(patterns=["*.h"], check=True)["changed"], "it may come in the run that is looked at"


def test_a_node_without_dkms_does_without(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin/dkms").unlink()
    assert "dkms" in node.build(optional=True)["lacking"] and node.build()["failed"]


def test_a_moved_link_is_a_change_also_where_the_module_does_not_build(node: Node) -> None:
    """The role has programs find the library that the link names."""
    node.link.unlink()
    (node.source / "toy.c").write_text("#error no\n")
    answer = node.build(optional=True)
    assert answer["changed"] and "kernel module toy" in answer["lacking"] and node.link.is_symlink()
    assert not node.build(optional=True)["changed"]


def test_without_a_library_no_module_is_built(node: Node) -> None:
    (node.source / "lib.so").unlink()
    answer = node.build(optional=True)
    assert "nowhere" in answer["lacking"] and not answer["changed"] and not node.there()
