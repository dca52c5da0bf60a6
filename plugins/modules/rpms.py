#!/usr/bin/python
"""Brings RPM packages to their exact versions in one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rpms
short_description: Install RPM packages at exact versions in one transaction
description:
  - Looks with one C(rpm) what is installed, and calls C(dnf) only where something differs.
  - Every source must answer, and everything that is needed is fetched and its signature checked, before the first package
    is touched. Whatever fails until then leaves the packages as they were.
  - Held packages stand in the list of dnf's plugin versionlock, which must be among the packages.
options:
  packages:
    description:
      - Names, or V(name=version) where a trailing C(*) stands for any ending. A higher version is lowered.
      - A version without an epoch stands for the same version of any epoch.
    type: list
    elements: str
    required: true
  hold:
    description:
      - Names whose version dnf may not change by itself.
      - A name with wildcards is every installed package that fits; there may be none.
    type: list
    elements: str
    default: []
  sources:
    description: Files that say where packages come from.
    type: list
    elements: path
    default: []
  lock_list:
    description: The list of the plugin versionlock. Nothing else may be in it.
    type: path
    default: /etc/dnf/plugins/versionlock.list
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Install the packages of all roles
  rpms:
    packages: [chrony, python3-dnf-plugin-versionlock, nvidia-open=595.71.05-*]
    hold: [nvidia-open, kernel-core]
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
half_done:
  description: Whether packages were changed, or are in the middle of it, where the module failed.
  type: bool
  returned: on failure
"""

import os
import re
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.railbed_packages import lines, refreshed, split, stale

REFRESHED = "/var/lib/dnf/railbed-refreshed"
FORMAT = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
# A source that cannot be had is passed over in silence otherwise, and what nobody signed is taken by no means.
DNF = ["dnf", "-y", "-q", "--setopt=*.skip_if_unavailable=0", "--disableplugin=versionlock"]
TRANSACTION = ["--setopt=install_weak_deps=0", "--setopt=best=1"]
ENVIRONMENT = {"LC_ALL": "C"}
HEADER = "# Written by railbed (module rpms): versions of the release, and the kernel that is installed.\n"


def parse(listing: str) -> dict[str, str]:
    """Name → ``epoch:version-release``, of what ``rpm -q --qf FORMAT`` printed. Of several the last one counts."""
    return dict(line.split("\t") for line in listing.splitlines() if line.count("\t") == 1)


def fits(installed: str, wanted: str) -> bool:
    """Whether the version is one that was asked for."""
    whole = wanted if re.match(r"\d+:", wanted) else f"*:{wanted}"
    return not wanted or fnmatchcase(installed, whole)


def missing(packages: list[str], installed: dict[str, str]) -> list[str]:
    """The packages that are absent or have another version."""
    asked = [(package, *split(package)) for package in packages]
    return [p for p, name, version in asked if name not in installed or not fits(installed[name], version)]


def locks(hold: list[str], installed: dict[str, str]) -> str:
    """The list of held packages, each at the version that is installed."""
    held = sorted(name for name in installed if any(fnmatchcase(name, wanted) for wanted in hold))
    return HEADER + "".join(f"{name}-{installed[name]}.*\n" for name in held)


class Dnf:
    """dnf and rpm on this node."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def installed(self) -> dict[str, str]:
        """Every installed package."""
        code, out, err = self.module.run_command(["rpm", "-qa", "--qf", FORMAT], environ_update=ENVIRONMENT)
        if code != 0:
            self.fail(f"rpm failed: {err.strip()}", half_done=False)
        return parse(out)

    def call(self, argv: list[str], what: str, half_done: bool) -> None:
        """Runs dnf; fails with its last words."""
        code, out, err = self.module.run_command([*DNF, *argv], environ_update=ENVIRONMENT)
        if code != 0:
            told = "\n".join((err.strip() or out.strip()).splitlines()[-15:])
            self.fail(f"{what} failed: {told}", half_done, code)

    def refresh(self) -> None:
        """Reads the metadata of every source anew and notes when."""
        self.call(["makecache", "--refresh"], "reading the sources", half_done=False)
        refreshed(REFRESHED)

    def install(self, packages: list[str]) -> None:
        """Fetches and checks everything, then installs it in one transaction."""
        wanted = ["-".join(filter(None, split(package))) for package in packages]
        names = ", ".join(packages)
        self.call([*TRANSACTION, "install", "--downloadonly", *wanted], f"fetching {names}", half_done=False)
        self.call([*TRANSACTION, "--cacheonly", "install", *wanted], f"installing {names}", half_done=True)

    def fail(self, message: str, half_done: bool, code: int = 1) -> None:
        """Ends the module."""
        untouched = "" if half_done else "; no package was changed"
        self.module.fail_json(msg=message + untouched, rc=code, half_done=half_done)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "hold": {"type": "list", "elements": "str", "default": []},
            "sources": {"type": "list", "elements": "path", "default": []},
            "lock_list": {"type": "path", "default": "/etc/dnf/plugins/versionlock.list"},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    dnf = Dnf(module)
    before = dnf.installed()
    lacking = missing(given["packages"], before)
    if not module.check_mode:
        if lacking or stale(given["sources"], REFRESHED):
            dnf.refresh()
        if lacking:
            dnf.install(lacking)
    after = dnf.installed() if lacking and not module.check_mode else before
    still = missing(given["packages"], after) if not module.check_mode else []
    if still:
        dnf.fail(f"dnf ended well, but these are not as asked for: {', '.join(still)}", half_done=True)
    loose = _hold(given["lock_list"], locks(given["hold"], after), module.check_mode)
    names = sorted({split(package)[0] for package in given["packages"]})
    changes = {split(package)[0]: before.get(split(package)[0], "") for package in lacking}
    diff = {
        "before": lines(changes),
        "after": "".join(f"{package}\n" for package in lacking) + ("versionlock.list\n" if loose else ""),
    }
    module.exit_json(
        changed=bool(lacking) or loose, installed=changes,
        versions={name: after[name] for name in names if name in after},
        diff=[diff] if (lacking or loose) and module._diff else [],
    )  # fmt: skip


def _hold(path: str, text: str, check: bool) -> bool:
    """Writes the list of locks where it says something else; whether it did (or would)."""
    try:
        with open(path) as file:
            same = file.read() == text
    except OSError:
        same = False
    if same or check:
        return not same
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.railbed", "w") as file:
        file.write(text)
    os.replace(f"{path}.railbed", path)
    return True


if __name__ == "__main__":
    main()
