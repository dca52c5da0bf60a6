"""The stand-ins for vendors' packages, and what each kind of them does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from railbed.defaults import NCCL_TESTS_FOLDER
from railbed.effects.lab import content, nvml
from railbed.effects.lab.debs import SCRIPTS, Deb, script
from railbed.effects.lab.vendor import DCGM, DRIVER, FABRIC_MANAGER, KERNEL, NCCL_TESTS, StandIn, Switch

MARKS = "/usr/lib/railbed-sim"
"""What the stand-ins know of each other: the kernel, the driver and the fabric manager that are installed."""
VERSION_PROGRAMS = {
    "cuda": ("/usr/local/cuda-{branch}/bin/nvcc", "Cuda compilation tools, V{program}"),
    "container_toolkit": ("/usr/bin/nvidia-ctk", "NVIDIA Container Toolkit CLI version {program}"),
    "enroot": ("/usr/bin/enroot", "{program}"),
}
"""Component → program that says its version in the vendor's words."""
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
PYXIS_SETTINGS = "/usr/share/pyxis/pyxis.conf"
Library = Callable[[StandIn], Path]


def build(
    table: Iterable[StandIn], switches: Iterable[Switch], target: Path, tools: Path, smi: Path | None
) -> None:
    """Writes a package file for every stand-in into ``target``; ``smi`` is left out where it could not be fetched."""
    with tempfile.TemporaryDirectory(prefix="railbed-standins-") as folder:
        work = Path(folder)
        compiled = work / "nvml"
        compiled.mkdir()
        compiler = nvml.Compiler(nvml.fetch_header(tools, work), compiled)
        write(table, switches, work, target, lambda one: compiler.library(one.program, one.cuda), smi)


def write(
    table: Iterable[StandIn],
    switches: Iterable[Switch],
    work: Path,
    target: Path,
    library: Library,
    smi: Path | None,
) -> list[Path]:
    """As ``build``, with the driver's library from ``library``. Returns the files, without those that are missing."""
    made = []
    for one in table:
        asked = {switch.does for switch in switches if switch.of(one)}
        if "missing" in asked:
            continue
        deb = package(one, "fail" if "fail" in asked else "reboot" if "reboot" in asked else "")
        if one.component == DRIVER:
            deb.files[f"/usr/lib/x86_64-linux-gnu/{nvml.SONAME}"] = library(one)
            if smi is not None:
                deb.files["/usr/bin/nvidia-smi"] = smi
                deb.programs.add("/usr/bin/nvidia-smi")
        made.append(deb.write(work, target))
    return made


def package(one: StandIn, switch: str = "") -> Deb:
    """A stand-in, the driver's without its library; ``switch`` is what it is made to do, empty: what it should."""
    makers = {
        DRIVER: _driver,
        FABRIC_MANAGER: _fabric_manager,
        KERNEL: _kernel,
        DCGM: _dcgm,
        NCCL_TESTS: _nccl_tests,
    }
    return makers.get(one.component, _plain)(one, switch)


def _driver(one: StandIn, switch: str) -> Deb:
    return Deb(
        one.package, one.version,
        fields={"Conflicts": "nvidia-smi, libnvidia-ml1"},
        files={
            f"{MARKS}/driver": f"{one.program}\n",
            f"{MARKS}/driver-kernels": f"{' '.join(one.kernels)}\n",
            "/lib/systemd/system/nvidia-simulated.service": _rendered("nvidia-simulated.service", one),
        },
        scripts={
            "postinst": script("driver.postinst", one.package, switch),
            "postrm": script("driver.postrm", one.package, switch),
        },
    )  # fmt: skip


def _kernel(one: StandIn, switch: str) -> Deb:
    return Deb(
        one.package, one.version,
        files={f"{MARKS}/kernel": f"{one.program}\n"},
        scripts={
            "preinst": script("kernel.preinst", one.package, switch),
            "postinst": script("kernel.postinst", one.package, switch),
        },
    )  # fmt: skip


def _fabric_manager(one: StandIn, switch: str) -> Deb:
    program = "/usr/bin/nv-fabricmanager"
    return Deb(
        one.package, one.version,
        fields=_alone(one),
        files={
            program: _rendered("nv-fabricmanager", one),
            f"{MARKS}/fabric-manager": f"{one.program}\n",
            "/lib/systemd/system/nvidia-fabricmanager.service": SCRIPTS / "nvidia-fabricmanager.service",
        },
        programs={program},
        scripts={"postinst": script("plain.postinst", one.package, switch)},
    )  # fmt: skip


def _dcgm(one: StandIn, switch: str) -> Deb:
    programs = {"/usr/bin/nv-hostengine": "nv_hostengine.py", "/usr/bin/dcgmi": "dcgmi.py"}
    return Deb(
        one.package, one.version,
        fields=_alone(one),
        files={
            **{path: _rendered(name, one) for path, name in programs.items()},
            "/lib/systemd/system/nvidia-dcgm.service": SCRIPTS / "nvidia-dcgm.service",
        },
        programs=set(programs),
        scripts={"postinst": script("plain.postinst", one.package, switch)},
    )  # fmt: skip


def _rendered(name: str, one: StandIn) -> str:
    """A file of ``standins/packages/`` with the program's version in it."""
    return (SCRIPTS / name).read_text().replace("@PROGRAM@", one.program)


def _nccl_tests(one: StandIn, switch: str) -> Deb:
    """Its programs lie where role nccl_tests has those that it builds."""
    source = content.STANDINS / "nccl_tests"
    program = (source / "perf").read_text().replace("@MODULES@", MARKS).replace("@PROGRAM@", one.program)
    programs = {f"{NCCL_TESTS_FOLDER}/{name}_perf": program for name in COLLECTIVES}
    return Deb(
        one.package, one.version,
        files={**programs, **{f"{MARKS}/nccl_tests/{path.name}": path for path in sorted(source.glob("*.py"))}},
        programs=set(programs),
        scripts={"postinst": script("plain.postinst", one.package, switch)},
    )  # fmt: skip


def _plain(one: StandIn, switch: str) -> Deb:
    deb = Deb(one.package, one.version, scripts={"postinst": script("plain.postinst", one.package, switch)})
    if one.component == "pyxis":
        # A plugin has to be built for the scheduler's own version, and the lab has no containers to start.
        deb.files[PYXIS_SETTINGS] = "# SIMULATED: the package names its plugin here; the lab's has none.\n"
    if one.component in VERSION_PROGRAMS:
        place, says = VERSION_PROGRAMS[one.component]
        path = place.format(branch=".".join(one.program.split(".")[:2]))
        deb.files[path] = f"#!/bin/sh\n# SIMULATED\necho '{says.format(program=one.program)}'\n"
        deb.programs.add(path)
        if path == place:
            deb.fields |= _alone(one)
    return deb


def _alone(one: StandIn) -> dict[str, str]:
    """Releases name a package with or without a branch (…-570, …-cuda12): of these, one at a time is installed."""
    return dict.fromkeys(
        ("Provides", "Conflicts", "Replaces"), f"simulated-{one.component.replace('_', '-')}"
    )
