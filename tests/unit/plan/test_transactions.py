"""Whether apt finds a way: the packages of each class of nodes against an index with the vendors' own dependency lines.

The resolver is the real one of this machine, in a folder of its own and without a network. The index is fabricated
(tests/unit/data/apt/lines.yaml says from what); versions of packages that a release pins are the release's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from railbed.software import compat
from railbed.toolbox.release_check.transactions import Transaction, kinds, sorts, transaction

LINES = Path(__file__).parents[1] / "data/apt/lines.yaml"
KERNEL = "6.8.0-45-generic"
DRIVER = "580.173.02"
"""Of an image."""
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
                for image in images(machine, system):
                    for kind in kinds(machine):
                        title = f"{name} {machine.key} {system} {kind.role} {image}"
                        found[of(name, machine.key, system, replace(kind, image=image))] = title
    return found


def images(machine: catalog.Machine, system: str) -> Iterator[str]:
    """Profiles that are for the machine; that of a whole release asks for what the distribution's does."""
    facts = compat.facts_of(machine, system)
    for name in catalog.keys("images"):
        uses = catalog.load_image(name).used_on
        if name == catalog.STOCK or any(compat.holds(use.when, facts, name) for use in uses.values()):
            yield name


def of(name: str, key: str, system: str, kind: Kind | None = None, image: str = catalog.STOCK) -> Transaction:
    """Of compute nodes, unless another kind is asked for."""
    filesystems = ["lustre"] if system.startswith("ubuntu") else []
    machine = catalog.load_machine(key)
    kind = kind or replace(kinds(machine)[0], image=image)
    return transaction(catalog.load_release(name), machine, system, kind, filesystems).on(KERNEL, DRIVER)


def stanza(package: str, fields: dict[str, Any]) -> str:
    answers = {
        "Version": "1",
        **{name: value for name, value in fields.items() if name not in ("from", "parts")},
    }
    own = str(answers["Version"])
    lines = "".join(
        f"{name}: {' '.join(str(value).split()).replace('@version', own)}\n"
        for name, value in answers.items()
        if value
    )
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
        """The version that a release pins, or any; without a line where no document has one. Its parts too, and a newer one of
        each."""
        index = self.indexes[source]
        for part, needs in index.get((package, ""), {}).get("parts", {}).items():
            for each in (version.replace("*", "1"), f"{version.partition('-')[0]}.9-1.fabricated"):
                index[part, each] = {"Version": each, "Depends": needs}
        fields = index.get((package, ""), {})
        if not version:
            index.setdefault((package, ""), fields)
        elif not fnmatchcase(str(fields.get("Version", "")), version):
            index[package, version] = {**fields, "Version": version.replace("*", "1")}

    def resolve(self, asked: Transaction, *more: str, kept: Iterable[str] = ()) -> Result:
        return self.apt.resolve({*asked.packages, *more}, asked.sources, asked.parts, kept)


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
        done = roots[asked.system].resolve(asked)
        if done.returncode:
            wrong[name] = (done.stdout + done.stderr)[-600:]
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())
    assert len(known()) >= 20, "not all the same"


@pytest.mark.parametrize("release", catalog.keys("software"))
@pytest.mark.parametrize("part", ["container_toolkit", "dcgm"])
def test_parts_of_exactly_a_pinned_version_have_a_newer_one_beside_them(
    roots: dict[str, Root], release: str, part: str
) -> None:
    """As soon as the vendor has one, which apt takes for them where they are not pinned."""
    asked = of(release, "metal/hgx-h100", "ubuntu 24.04")
    found = catalog.load_release(release).alternatives(part)[0].part_packages
    lacking = replace(asked, pins=asked.pins - set(found.items()))
    done = roots["ubuntu 24.04"].resolve(lacking)
    assert done.returncode == 100 and "unmet dependencies" in done.stdout + done.stderr
    installed = dict(taken(roots["ubuntu 24.04"].resolve(asked).stdout))
    fitting = {
        name: version for name, version in installed.items() if any(fnmatchcase(name, p) for p in found)
    }
    assert len(fitting) > 1
    assert not [version for version in fitting.values() if version.endswith("fabricated")]


@pytest.mark.parametrize("release", catalog.keys("software"))
@pytest.mark.parametrize("system", ["debian 12", "ubuntu 24.04"])
def test_every_part_of_the_driver_has_its_version_though_the_vendor_has_a_newer_one(
    roots: dict[str, Root], release: str, system: str
) -> None:
    asked = of(release, "metal/hgx-h100", system)
    (driver,) = {one.partition("=")[2] for one in asked.packages if one.startswith("nvidia-open=")}

    def parts(asked: Transaction) -> set[str]:
        said = roots[system].resolve(asked)
        assert said.ok, said.stdout + said.stderr
        return {version for name, version in taken(said.stdout) if name.endswith("open-fabricated")}

    assert all(fnmatchcase(version, driver) for version in parts(asked)) and parts(asked)
    unpinned = {pin for pin in asked.pins if "nvidia-*" not in pin[0] and "libnvidia-*" not in pin[0]}
    newer = parts(replace(asked, pins=frozenset(unpinned)))
    assert newer and not any(fnmatchcase(version, driver) for version in newer)


def taken(said: str) -> Iterator[tuple[str, str]]:
    """Package and version of each line of apt that installs one."""
    for line in said.splitlines():
        if line.startswith("Inst "):
            yield line.split()[1], line.partition("(")[2].split()[0]


def test_a_node_with_doca_gets_its_mpi_and_no_other(roots: dict[str, Root]) -> None:
    asked = of("2026.12", "metal/hgx-b300", "ubuntu 24.04")
    said = roots["ubuntu 24.04"].resolve(asked).stdout
    assert "Inst openmpi (4.1.9a1" in said and "Inst rdma-core (2510" in said
    assert "Inst openmpi-bin" not in said and "Inst libucx0" not in said


def test_doca_beside_the_distributions_mpi_has_no_solution(roots: dict[str, Root]) -> None:
    """What releases asked for until now."""
    asked = of("2026.12", "metal/hgx-b300", "ubuntu 24.04")
    done = roots["ubuntu 24.04"].resolve(asked, "openmpi-bin", "libopenmpi-dev")
    assert done.returncode == 100 and "libucx0" in done.stdout + done.stderr


def test_parts_that_the_release_brings_move_though_names_of_the_image_fit_them(
    roots: dict[str, Root],
) -> None:
    """Google's image holds all of `libnvidia-*`, and a node has a newer container toolkit, of another release for one."""
    root = roots["ubuntu 24.04"]
    asked = of("2026.12", "gcp/a3-ultragpu-8g", "ubuntu 24.04", image="google-accelerator")
    toolkit = catalog.load_release("2026.12").alternatives("container_toolkit")[0]
    there = {name: {"Version": "1.20.0-1"} for name in (toolkit.package, *toolkit.parts)}
    kept = catalog.load_image("google-accelerator").brings["nvidia_driver"].holds
    with having(root, there):
        done = root.resolve(asked, kept=kept)
    assert done.ok, done.stdout + done.stderr
    found = dict(taken(done.stdout.replace(" [1.20.0-1]", "")))
    equal = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools")
    assert all(fnmatchcase(found[name], "1.19.1-*") for name in equal), found


@contextmanager
def having(root: Root, packages: dict[str, dict[str, Any]]) -> Iterator[None]:
    """A machine on which these are installed. FABRICATED: no list of an image's packages is published."""
    status = root.apt.folder / "status"
    status.write_text(
        "\n".join(
            stanza(name, fields).replace("Filename", "Status: install ok installed\nFilename")
            for name, fields in packages.items()
        )
    )
    try:
        yield
    finally:
        status.write_text("")


MICROSOFT = "azure/Standard_ND96isr_H100_v5"


def test_on_microsofts_image_the_distributions_mpi_takes_away_what_stands_for_hpc_x(
    roots: dict[str, Root],
) -> None:
    """Its marker conflicts with that MPI, which the release asks of an image that brings none."""
    root, asked = roots["ubuntu 24.04"], of("2026.12", MICROSOFT, "ubuntu 24.04")
    with having(root, root.marker):
        said = root.resolve(asked).stdout
    assert "Remv hpcx-provides-openmpi" in said


SLURM_PIN = """
Package: slurm*
Pin: origin ""
Pin-Priority: -1
"""
"""As components/slurm-repo/slurm-u.pin of Azure/azhpc-images at 78f8dc8; the origin there is *ubuntu.com*, here a file's."""


def test_microsofts_pin_of_slurm_goes_with_its_profile_and_without_it_nothing_resolves(
    roots: dict[str, Root],
) -> None:
    root, asked = roots["ubuntu 24.04"], of("2026.12", MICROSOFT, "ubuntu 24.04", image="azure-hpc")
    (name,) = catalog.load_image("azure-hpc").apt_preferences
    file = root.apt.folder / "etc/preferences.d" / name
    file.write_text(SLURM_PIN)
    try:
        done = root.resolve(asked)
    finally:
        file.unlink()
    assert not done.ok and "slurmd" in done.stdout + done.stderr
    assert root.resolve(asked).ok


@pytest.mark.parametrize("release", catalog.keys("software"))
def test_with_its_profile_nothing_of_microsofts_image_is_removed_or_replaced(
    roots: dict[str, Root], release: str
) -> None:
    root, asked = roots["ubuntu 24.04"], of(release, MICROSOFT, "ubuntu 24.04", image="azure-hpc")
    there = {
        **root.marker,
        "libnccl2": {"Version": "2.28.9-1+cuda13.0"},
        "nvidia-fabricmanager": {"Version": f"{DRIVER}-1"},
        "datacenter-gpu-manager-4-core": {"Version": "1:4.4.2-1"},
        "rdma-core": {"Version": "2510.0.11-fabricated"},
    }
    kept = {
        name
        for part in catalog.load_image("azure-hpc").brings.values()
        for name in (*part.packages, *part.holds)
    }
    with having(root, there):
        done = root.resolve(asked, kept=kept)
    assert done.ok, done.stdout + done.stderr
    changed = [line for line in done.stdout.splitlines() if line.startswith(("Remv", "Inst"))]
    assert not [line for line in changed if line.split()[1] in there], changed
    assert [line for line in changed if line.startswith("Inst enroot")], "the release fills the rest"
    assert not [line for line in changed if "openmpi" in line.split()[1]], changed
