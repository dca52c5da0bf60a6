#!/usr/bin/python
"""Brings Debian packages to their exact versions in one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: debs
short_description: Install Debian packages at exact versions in one transaction
description:
  - Looks with one C(dpkg-query) what is installed, and calls C(apt-get) only where something differs.
  - Lists are refreshed before an installation, and when V(sources) are newer than the last refresh.
options:
  packages:
    description:
      - Names, or V(name=version) where a trailing C(*) stands for any ending. A higher version is lowered.
    type: list
    elements: str
    required: true
  hold:
    description: Names whose version apt may not change by itself.
    type: list
    elements: str
    default: []
  sources:
    description: Files that say where packages come from.
    type: list
    elements: path
    default: []
  lock_timeout_s:
    description: How long to wait for another package manager, in seconds.
    type: int
    default: 120
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Install the packages of all roles
  debs:
    packages: [chrony, nvidia-open=570.124.06-*]
    hold: [nvidia-open]
"""

RETURN = r"""
installed:
  description: Packages that were (or would be) installed, each with the version before.
  type: dict
  returned: always
versions:
  description: Version of every asked-for package afterwards.
  type: dict
  returned: always
"""

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

REFRESHED = "/var/lib/apt/periodic/railbed-refreshed"
FORMAT = r"${Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
KEEP_CONFIGURATION = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
APT = ["apt-get", "-y", "-q", *KEEP_CONFIGURATION]
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_SUSPEND": "1"}


@dataclass(frozen=True)
class Installed:
    """A package that dpkg holds whole."""

    version: str
    held: bool


def parse(listing: str) -> dict[str, Installed]:
    """What ``dpkg-query -W -f FORMAT`` printed; half-installed packages do not count."""
    found = {}
    for line in listing.splitlines():
        fields = line.split("\t")
        if len(fields) == 4 and fields[3] == "installed":
            found[fields[0]] = Installed(fields[1], fields[2] == "hold")
    return found


def split(package: str) -> tuple[str, str]:
    """Name and wanted version (or pattern, or nothing)."""
    name, _, version = package.partition("=")
    return name, version


def missing(packages: list[str], installed: dict[str, Installed]) -> list[str]:
    """The packages that are absent or have another version."""
    lacking = []
    for package in packages:
        name, version = split(package)
        now: Optional[Installed] = installed.get(name)
        if now is None or (version and not fnmatchcase(now.version, version)):
            lacking.append(package)
    return lacking


def stale(sources: list[str]) -> bool:
    """Whether a source was changed since this module last refreshed the lists."""
    if not sources:
        return False
    try:
        refreshed = os.stat(REFRESHED).st_mtime
    except OSError:
        return True
    return any(os.stat(path).st_mtime > refreshed for path in sources if os.path.exists(path))


class Apt:
    """apt-get and dpkg on this node."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def call(self, argv: list[str], what: str, data: Optional[str] = None) -> str:
        """Runs a program; fails with its last words."""
        code, out, err = self.module.run_command(argv, environ_update=ENVIRONMENT, data=data)
        if code != 0:
            told = "\n".join((err.strip() or out.strip()).splitlines()[-15:])
            self.module.fail_json(msg=f"{what} failed: {told}", rc=code)
        return str(out)

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """Of ``names``, those that are installed; dpkg-query ends with 1 where it knows one of them not."""
        code, out, err = self.module.run_command(["dpkg-query", "-W", "-f", FORMAT, *names])
        if code not in (0, 1):
            self.module.fail_json(msg=f"dpkg-query failed: {err.strip()}", rc=code)
        return parse(out)

    def refresh(self) -> None:
        """Reads the lists anew and notes when."""
        self.call([*APT, *self._wait(), "update"], "reading the package lists")
        os.makedirs(os.path.dirname(REFRESHED), exist_ok=True)
        with open(REFRESHED, "w"):
            pass

    def install(self, packages: list[str]) -> None:
        """One transaction."""
        options = ["--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"]
        self.call([*APT, *self._wait(), *options, "install", *packages], f"installing {', '.join(packages)}")

    def hold(self, names: list[str]) -> None:
        """Keeps apt from changing these by itself."""
        lines = "".join(f"{name} hold\n" for name in names)
        self.call(["dpkg", "--set-selections"], "holding packages", lines)

    def _wait(self) -> list[str]:
        return ["-o", f"DPkg::Lock::Timeout={self.module.params['lock_timeout_s']}"]


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "hold": {"type": "list", "elements": "str", "default": []},
            "sources": {"type": "list", "elements": "path", "default": []},
            "lock_timeout_s": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    apt = Apt(module)
    names = sorted({split(package)[0] for package in [*given["packages"], *given["hold"]]})
    before = apt.installed(names)
    lacking = missing(given["packages"], before)
    refresh = stale(given["sources"])
    if not module.check_mode:
        if lacking or refresh:
            apt.refresh()
        if lacking:
            apt.install(lacking)
    after = apt.installed(names) if lacking and not module.check_mode else before
    still = missing(given["packages"], after) if not module.check_mode else []
    if still:
        module.fail_json(msg=f"apt-get ended well, but these are not as asked for: {', '.join(still)}")
    loose = [name for name in given["hold"] if name not in after or not after[name].held]
    if loose and not module.check_mode:
        apt.hold(loose)
    changes = {split(p)[0]: before[split(p)[0]].version if split(p)[0] in before else "" for p in lacking}
    versions = {name: now.version for name, now in sorted(after.items())}
    lines = {
        "before": "".join(f"{name} {version or '(absent)'}\n" for name, version in changes.items()),
        "after": "".join(f"{package}\n" for package in lacking) + "".join(f"hold {name}\n" for name in loose),
    }
    module.exit_json(
        changed=bool(lacking or loose), installed=changes, versions=versions,
        diff=[lines] if (lacking or loose) and module._diff else [],
    )  # fmt: skip


if __name__ == "__main__":
    main()
