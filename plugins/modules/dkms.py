#!/usr/bin/python
"""Has DKMS build and install a kernel module from sources that are on the node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dkms
short_description: Have DKMS build and install a kernel module from sources on the node
description:
  - Puts the sources and a C(dkms.conf) where DKMS looks for them, and has it build and install the module for the kernel that
    runs. For kernels that come later DKMS does it by itself.
  - DKMS signs what it builds where it was given a key.
  - A module that was built from other sources, or under another version, is built anew. Other versions of it are removed.
  - Nothing is loaded or unloaded.
options:
  name:
    description: Of the module.
    type: str
    required: true
  version:
    description: Tells all that the build depends on, as an equal one is not built again.
    type: str
    required: true
  source:
    description: Folder of the sources.
    type: path
    required: true
  patterns:
    description: Patterns of the files of O(source) that make the module.
    type: list
    elements: str
    required: true
  make:
    description: Words of make. V($kernelver) is the kernel's version.
    type: str
    required: true
  optional:
    description: Whether a node may do without. A module that does not build is then a warning.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Build the module
  dkms:
    name: gdrdrv
    version: 2.5.2-595.71.05
    source: /opt/railbed/gdrcopy/lib
    patterns: ["*.c", "*.h", Makefile]
    make: KVER=$kernelver
"""

RETURN = r"""
lacking:
  description: Why an optional module could not be built; empty where it is there.
  type: str
  returned: always
"""

import filecmp
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

BUILD_S, ASK_S = 1800, 60
LAST_LINES = 15
SOURCES = Path("/usr/src")
"""Where DKMS looks for sources of modules (dkms(8), --sourcetree)."""
CONFIGURATION = """\
# Written by railbed (module dkms).
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


class Refused(Exception):
    """What stands in the way, in the words of DKMS."""


def run(argv: list[str], timeout_s: int) -> str:
    """The output of a program. Raises Refused with its last words."""
    try:
        done = subprocess.run(
            ["nice", "-n", "19", *argv], capture_output=True, text=True, timeout=timeout_s, check=False, errors="replace"
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(f"{argv[0]} did not end in {timeout_s} s") from None
    except OSError as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        told = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])
        raise Refused(f"{' '.join(argv[:2])} ended with {done.returncode}: {told}")
    return done.stdout


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


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **{key: {"type": "str", "required": True} for key in ("name", "version", "make")},
            "source": {"type": "path", "required": True},
            "patterns": {"type": "list", "elements": "str", "required": True},
            "optional": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    name, version, kernel = module.params["name"], module.params["version"], os.uname().release
    to = SOURCES / f"{name}-{version}"
    configuration = CONFIGURATION.format(**{key: module.params[key] for key in ("name", "version", "make")})
    try:
        known = states(name)
        files = wanted_files(Path(module.params["source"]), module.params["patterns"])
        there = same(to, files, configuration)
        others = sorted({one for one, _, _ in known} - {version})
        if there and not others and (version, kernel, "installed") in known:
            module.exit_json(changed=False, lacking="")
        if module.check_mode:
            module.exit_json(changed=True, lacking="")
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
    except (Refused, OSError) as refused:
        if module.check_mode:
            # What it is built from, or DKMS, may come in the run that this one only looks at.
            module.exit_json(changed=True, lacking="")
        if module.params["optional"]:
            module.warn(f"{name} could not be built, and this node does without: {refused}")
            module.exit_json(changed=False, lacking=str(refused))
        module.fail_json(msg=str(refused), lacking=str(refused))
    module.exit_json(changed=True, lacking="")


if __name__ == "__main__":
    main()
