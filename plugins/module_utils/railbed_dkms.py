"""DKMS builds and installs a kernel module from sources that are on the node. For modules."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils import railbed_program
from ansible.module_utils.railbed_program import LAST_LINES, Refused

KERNEL_MODULE: dict[str, Any] = {
    **{key: {"type": "str", "required": True} for key in ("name", "version", "make")},
    "patterns": {"type": "list", "elements": "str", "required": True},
}
"""Options of one kernel module."""
BUILD_S, ASK_S = 1800, 60
SOURCES = Path("/usr/src")
"""Where DKMS looks for sources of modules (dkms(8), --sourcetree)."""
CONFIGURATION = """\
# Written by railbed (module built).
PACKAGE_NAME="{name}"
PACKAGE_VERSION="{version}"
BUILT_MODULE_NAME[0]="{name}"
DEST_MODULE_LOCATION[0]="/updates/dkms"
MAKE[0]="'make' {make}"
CLEAN="'make' clean"
AUTOINSTALL="yes"
"""
STATUS = re.compile(
    r"^(?P<name>[^/,]+)[/,] ?(?P<version>[^,:]+)(?:, (?P<kernel>[^,]+), [^:]+)?: (?P<state>.+)$", re.M
)
"""A line of `dkms status`, of version 3 (``gdrdrv/2.5, 6.8.0, x86_64: installed``) and of 2 (``gdrdrv, 2.5, …``). Words after
``installed`` say that the kernel has another file than the one that was built."""
LOG = re.compile(r"^Consult (\S+/make\.log) ", re.M)


def run(argv: list[str], timeout_s: int) -> str:
    """The output of a program. Raises Refused with its last words."""
    return railbed_program.run(argv, timeout_s, called=" ".join(argv[:2]))


def states(name: str) -> list[tuple[str, str, str]]:
    """Version, kernel and state of each build that DKMS knows of the module; the kernel is empty where none was built."""
    said = run(["dkms", "status", "-m", name], ASK_S)
    rows = [found.groupdict() for found in STATUS.finditer(said)]
    return [
        (row["version"].strip(), row["kernel"] or "", row["state"]) for row in rows if row["name"] == name
    ]


def wanted_files(source: Path, patterns: list[str]) -> list[Path]:
    """Raises Refused for a pattern that no file fits."""
    found = []
    for pattern in patterns:
        fitting = sorted(path for path in source.glob(pattern) if path.is_file())
        if not fitting:
            raise Refused(f"nothing in {source} fits {pattern}")
        found += fitting
    return found


def same(to: Path, files: list[Path], configuration: str) -> bool:
    """Whether the sources are there as they are wanted, and nothing else is."""
    names = {path.name for path in files} | {"dkms.conf"}
    if not to.is_dir() or {path.name for path in to.iterdir()} != names:
        return False
    if (to / "dkms.conf").read_text(errors="replace") != configuration:
        return False
    return all(filecmp.cmp(path, to / path.name, shallow=False) for path in files)


def put(to: Path, files: list[Path], configuration: str) -> None:
    """Puts the sources in place in one step."""
    with tempfile.TemporaryDirectory(prefix=".railbed-", dir=to.parent) as work:
        whole = Path(work) / "whole"
        whole.mkdir(mode=0o755)
        for path in files:
            shutil.copy2(path, whole / path.name)
        (whole / "dkms.conf").write_text(configuration)
        if to.is_dir():
            to.rename(Path(work) / "before")
        whole.rename(to)


def forget(name: str, version: str) -> None:
    """Takes a version of the module out of DKMS and of every kernel. What is loaded stays loaded."""
    run(["dkms", "remove", f"{name}/{version}", "--all"], BUILD_S)


def build(name: str, version: str, kernel: str) -> None:
    """Raises Refused where it does not build; then nothing of it is left, and the next run tries again."""
    run(["dkms", "add", f"{name}/{version}"], ASK_S)
    try:
        run(["dkms", "build", f"{name}/{version}", "-k", kernel], BUILD_S)
    except Refused as refused:
        log = LOG.search(str(refused))
        try:
            lines = Path(log[1]).read_text(errors="replace").splitlines() if log else []
        except OSError:
            lines = []
        forget(name, version)
        shutil.rmtree(SOURCES / f"{name}-{version}", ignore_errors=True)
        raise Refused("\n".join([str(refused), *lines[-LAST_LINES:]])) from None


def bring(wanted: dict[str, Any], source: Path, check: bool) -> bool:
    """Brings the module to be built from ``source`` for the kernel that runs, and other versions of it away; whether something
    changes. In check mode nothing is written, and what is absent may come in the run that is only looked at. Raises Refused."""
    try:
        return _bring(wanted, source, check)
    except (Refused, OSError) as refused:
        if check:
            return True
        raise Refused(f"kernel module {wanted['name']}: {refused}") from None


def _bring(wanted: dict[str, Any], source: Path, check: bool) -> bool:
    name, version, kernel = wanted["name"], wanted["version"], os.uname().release
    to = SOURCES / f"{name}-{version}"
    configuration = CONFIGURATION.format(**{key: wanted[key] for key in ("name", "version", "make")})
    known = states(name)
    files = wanted_files(source, wanted["patterns"])
    there = same(to, files, configuration)
    others = sorted({one for one, _, _ in known} - {version})
    if there and not others and (version, kernel, "installed") in known:
        return False
    if check:
        return True
    if any(one == version for one, _, _ in known):
        forget(name, version)
    if not there:
        put(to, files, configuration)
    build(name, version, kernel)
    # Before: DKMS leaves an installed module of an equal version in its place, and calls the new one installed.
    for one in others:
        forget(name, one)
        shutil.rmtree(SOURCES / f"{name}-{one}", ignore_errors=True)
    run(["dkms", "install", f"{name}/{version}", "-k", kernel], BUILD_S)
    return True
