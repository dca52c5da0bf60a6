"""Whether apt finds a way: the packages of each class of nodes against an index with the vendors' own dependency lines.

The resolver is the real one of this machine, in a folder of its own and without a network. The index is fabricated
(tests/unit/data/apt/lines.yaml says from what); versions of packages that a release pins are the release's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import catalog
from railbed.effects.apt_root import AptRoot
from railbed.plan.node_classes import Kind
from railbed.run import Result
from railbed.toolbox.release_check.transactions import Transaction, kinds, sorts, transaction

LINES = Path(__file__).parents[1] / "data/apt/lines.yaml"
KERNEL = "6.8.0-45-generic"
BASE = ("build-essential", "dkms", "linux-headers-generic", "lustre-client-utils")
"""Of the distribution, that lines of the index ask for."""

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt on this machine")


@cache
def known() -> dict[Transaction, str]:
    """Each distinct transaction, and one of the classes of nodes that ask for it."""
    found = {}
    for name in catalog.keys("software"):
        for system in catalog.load_release(name).systems:
            for machine in sorts():
                for kind in kinds(machine):
                    found[of(name, machine.key, system, kind)] = f"{name} {machine.key} {system} {kind.role}"
    return found


def of(name: str, key: str, system: str, kind: Kind | None = None) -> Transaction:
    """Of compute nodes, unless another kind is asked for."""
    filesystems = ["lustre"] if system.startswith("ubuntu") else []
    machine = catalog.load_machine(key)
    return transaction(
        catalog.load_release(name), machine, system, kind or kinds(machine)[0], filesystems
    ).on(KERNEL)


def stanza(package: str, fields: dict[str, Any]) -> str:
    told = {"Version": "1", **{name: value for name, value in fields.items() if name != "from"}}
    lines = "".join(f"{name}: {' '.join(str(value).split())}\n" for name, value in told.items())
    return (
        f"Package: {package}\nArchitecture: amd64\nMaintainer: fabricated <fabricated@example.invalid>\n{lines}"
        f"Filename: ./{package}.deb\nSize: 1\nSHA256: {'0' * 64}\nDescription: fabricated\n"
    )


class Root:
    """A folder that apt takes for a machine of one system, with every source that the system's transactions have."""

    def __init__(self, folder: Path, system: str, known: list[Transaction]) -> None:
        lines = yaml.safe_load(LINES.read_text())
        self.marker = lines.pop("marker")
        self.indexes: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
            name: {(package, ""): fields for package, fields in lines.get(name, {}).items()}
            for name in {source for one in known for source in one.sources}
        }
        for package, source in {
            *((name, system) for name in BASE),
            *(asked for one in known for asked in one.asked),
        }:
            name, _, version = package.partition("=")
            self._stub(source, name, version)
        sources = {}
        for name, packages in self.indexes.items():
            place = folder / "sources" / name.replace(" ", "-")
            place.mkdir(parents=True)
            text = "\n".join(stanza(package, fields) for (package, _), fields in sorted(packages.items()))
            (place / "Packages").write_text(text)
            sources[name] = f"deb [trusted=yes] file:{place} ./"
        self.apt = AptRoot(folder / "apt", "amd64", sources)
        for name in sources:
            assert self.apt.update(name).ok

    def _stub(self, source: str, package: str, version: str) -> None:
        """The version that a release pins, or any; without a line where no document has one."""
        index = self.indexes[source]
        fields = index.get((package, ""), {})
        if not version:
            index.setdefault((package, ""), fields)
        elif not fnmatchcase(str(fields.get("Version", "")), version):
            index[package, version] = {**fields, "Version": version.replace("*", "1")}

    def resolve(self, packages: Iterable[str], sources: Iterable[str]) -> Result:
        return self.apt.resolve(packages, sources)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Root]:
    systems = {one.system for one in known()}
    return {
        system: Root(tmp_path_factory.mktemp("apt"), system, [one for one in known() if one.system == system])
        for system in systems
    }


def test_apt_resolves_the_packages_of_every_release_machine_and_system(roots: dict[str, Root]) -> None:
    wrong = {}
    for asked, name in known().items():
        done = roots[asked.system].resolve(asked.packages, asked.sources)
        if done.returncode:
            wrong[name] = (done.stdout + done.stderr)[-600:]
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())
    assert len(known()) >= 20, "not all the same"


def test_a_node_with_doca_gets_its_mpi_and_no_other(roots: dict[str, Root]) -> None:
    asked = of("2026.12", "metal/hgx-b300", "ubuntu 24.04")
    said = roots["ubuntu 24.04"].resolve(asked.packages, asked.sources).stdout
    assert "Inst openmpi (4.1.9a1" in said and "Inst rdma-core (2510" in said
    assert "Inst openmpi-bin" not in said and "Inst libucx0" not in said


def test_doca_beside_the_distributions_mpi_has_no_solution(roots: dict[str, Root]) -> None:
    """What releases asked for until now."""
    asked = of("2026.12", "metal/hgx-b300", "ubuntu 24.04")
    done = roots["ubuntu 24.04"].resolve({*asked.packages, "openmpi-bin", "libopenmpi-dev"}, asked.sources)
    assert done.returncode == 100 and "libucx0" in done.stdout + done.stderr


def test_on_microsofts_image_the_distributions_mpi_takes_away_what_stands_for_hpc_x(
    roots: dict[str, Root],
) -> None:
    """Its marker conflicts with that MPI: such an image has to bring its own, and be told so (an image profile)."""
    root = roots["ubuntu 24.04"]
    status = root.apt.folder / "status"
    (name, fields), *_ = root.marker.items()
    status.write_text(stanza(name, fields).replace("Filename", "Status: install ok installed\nFilename"))
    asked = of("2026.12", "azure/Standard_ND96isr_H100_v5", "ubuntu 24.04")
    try:
        said = root.resolve(asked.packages, asked.sources).stdout
    finally:
        status.write_text("")
    assert "Remv hpcx-provides-openmpi" in said
