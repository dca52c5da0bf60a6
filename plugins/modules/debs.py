#!/usr/bin/python
"""Brings Debian packages to their exact versions in one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: debs
short_description: Install Debian packages at exact versions in one transaction
description:
  - Looks with one C(dpkg-query) what is installed, and calls C(apt-get) only where something differs.
  - Lists are refreshed before an installation, and when V(sources) are newer than the last refresh.
  - Before the first package is touched, an installation that was interrupted is brought to its end, every source must
    have answered with what its key has signed, every file of the transaction lies on the disk with its right hash, and
    there is room for it. Whatever fails until then leaves the packages as they were.
options:
  packages:
    description:
      - Names, or V(name=version) where a trailing C(*) stands for any ending. A higher version is lowered.
    type: list
    elements: str
    required: true
  first:
    description:
      - Names, wildcards allowed, of those of V(packages) whose files decide what apt takes for the others, pins for one.
      - They come, and those of an earlier run go, in a transaction of their own before the rest is resolved; what fails
        after that still leaves all other packages as they were.
    type: list
    elements: str
    default: []
  hold:
    description:
      - Names whose version apt may not change by itself.
      - A name with wildcards is every installed package that fits; there may be none.
      - What this module installed and held before and is no longer asked for goes in the same transaction. The next release may
        bring the same thing under another name, and apt never takes a held package away by itself.
      - Names that are not in V(packages) are of somebody else, a machine's image for one. They are held and never removed.
    type: list
    elements: str
    default: []
  sources:
    description: Files that say where packages come from.
    type: list
    elements: path
    default: []
  lock_timeout_s:
    description:
      - How long to wait in all, in seconds, while another package manager has a lock of dpkg, of the lists or of the archives.
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
removed:
  description: Packages that were (or would be) removed, each with its version.
  type: dict
  returned: always
versions:
  description: Version of every asked-for package afterwards.
  type: dict
  returned: always
half_done:
  description:
    - Whether packages were changed, or are in the middle of it, where the module failed.
    - What another package manager is still at work on does not count.
  type: bool
  returned: on failure
sources:
  description: Sources that could not be used, each with what was found.
  type: list
  returned: on failure
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Optional, TypeVar

from ansible.module_utils import railbed_apt
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.railbed_apt import lines, refreshed, split, stale

REFRESHED = "/var/lib/apt/periodic/railbed-refreshed"
FORMAT = r"${Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
KEEP_CONFIGURATION = ["--force-confdef", "--force-confold"]
# An index that cannot be had is only a warning to apt, and an old one takes its place.
STRICT = ["APT::Update::Error-Mode=any", "Acquire::AllowInsecureRepositories=false",
          "Acquire::AllowDowngradeToInsecureRepositories=false", "APT::Get::AllowUnauthenticated=false"]  # fmt: skip
APT = ["apt-get", "-y", "-q"]
TRANSACTION = [
    "--no-install-recommends",
    "--allow-downgrades",
    "--allow-change-held-packages",
    "--fix-broken",
]
HELD = "/var/lib/apt/periodic/railbed-held"
"""Names that this module installed and keeps from moving, one on each line."""
KEPT = "/var/lib/apt/periodic/railbed-kept"
"""Names that others installed and this module keeps from moving, in the same form."""
UNFINISHED = "/var/lib/dpkg/updates"
"""What dpkg had still to write down when it was interrupted."""
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")
"""Who changes packages has at least one of them."""
PAUSE_S = 1.0
INSTALLED_TO = "/usr"
UNTOUCHED = "no package was changed"
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_SUSPEND": "1"}
T = TypeVar("T")


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


def missing(packages: list[str], installed: dict[str, Installed]) -> list[str]:
    """The packages that are absent or have another version."""
    lacking = []
    for package in packages:
        name, version = split(package)
        now: Optional[Installed] = installed.get(name)
        if now is None or (version and not fnmatchcase(now.version, version)):
            lacking.append(package)
    return lacking


class Patience:
    """Time that may still be spent on waiting for others; what lies between the waits is not counted."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def until(self, attempt: Callable[[], tuple[T, str]]) -> tuple[T, str]:
        """What is found, and who is in the way: of the first attempt that meets nobody, or the last that there is time for."""
        while True:
            since = time.monotonic()
            found, other = attempt()
            if not other or self.left <= 0:
                return found, other
            time.sleep(min(PAUSE_S, self.left))
            self.left -= time.monotonic() - since


class Apt:
    """apt-get and dpkg on this node."""

    def __init__(self, module: AnsibleModule, names: list[str]) -> None:
        self.module = module
        self.names = names
        self.patience = Patience(module.params["lock_timeout_s"])
        self.waited = f"waited {module.params['lock_timeout_s']} s for another package manager"
        self.begun = False
        """Whether this run itself may have changed packages since they were ``settled``."""
        self.broken: list[str] = []
        found, other = self.unfinished()
        if other:
            self.fail(f"{self.waited} to finish what it began")
        self.broken = found
        self.before = self.settled = self.installed()

    def installed(self) -> dict[str, Installed]:
        """Of the names, those that are installed; dpkg-query ends with 1 where it knows one of them not."""
        code, out, err = self.module.run_command(["dpkg-query", "-W", "-f", FORMAT, *self.names])
        if code not in (0, 1):
            self.module.fail_json(msg=f"dpkg-query failed: {err.strip()}", rc=code)
        return parse(out)

    def settle(self) -> None:
        """From here on, what is installed now is what the packages were."""
        self.settled, self.begun = self.installed(), False

    def unfinished(self) -> tuple[list[str], str]:
        """What dpkg did not finish, and who may still be at work on it after all waiting."""

        def check() -> tuple[list[str], str]:
            # Asked before and after: another one may end, or begin, while dpkg is asked.
            other = railbed_apt.holder(LOCKS)
            names = self._audit()
            return names, (other or railbed_apt.holder(LOCKS)) if names else ""

        return self.patience.until(check)

    def _audit(self) -> list[str]:
        """Packages that dpkg began with and did not finish, or what else it has to bring to an end."""
        _, out, _ = self.module.run_command(["dpkg", "--audit"], environ_update=ENVIRONMENT)
        names = [line.split()[0] for line in out.splitlines() if line.startswith(" ") and line.strip()]
        return names or (
            ["dpkg's own journal"] if os.path.isdir(UNFINISHED) and os.listdir(UNFINISHED) else []
        )

    def mend(self) -> None:
        """Brings an interrupted installation to its end; what stays broken is left to the transaction to replace."""
        force = [*KEEP_CONFIGURATION, "--configure", "-a"]
        self._run(["dpkg", *force])
        self.begun = True

    def refresh(self) -> None:
        """Reads the lists anew, all of them, and notes when."""
        self._call(["update"], "reading the package lists")
        refreshed(REFRESHED)

    def fetch(self, packages: list[str]) -> None:
        """Puts every file of the transaction on the disk, verified, and sees that there is room for it."""
        said = self._call([*TRANSACTION, "--download-only", "install", *packages], "fetching the packages")
        needed = railbed_apt.bytes_needed(said) or 0.0
        free = os.statvfs(INSTALLED_TO)
        there = free.f_bavail * free.f_frsize
        if needed > there:
            self.fail(
                f"the disk is full: the packages need {needed / 1e9:.3g} GB and {there / 1e9:.3g} GB are free"
            )

    def install(self, packages: list[str]) -> None:
        """One transaction, from what was fetched."""
        what = f"installing {', '.join(packages)}" if packages else "finishing what was begun"
        # Not --no-download: with it apt does not find the files of a file: source, which are never copied.
        self._call([*TRANSACTION, "install", *packages], what, changes=True)

    def select(self, names: Iterable[str], state: str) -> None:
        """``hold`` keeps apt from changing these by itself, ``install`` no longer does."""
        lines = "".join(f"{name} {state}\n" for name in sorted(names))
        code, out, err = self._run(["dpkg", "--set-selections"], lines)
        if code != 0:
            self.fail(f"setting packages to {state} failed: {(err or out).strip()}")

    def fail(self, message: str, **more: Any) -> None:
        """Ends with whether the node is unchanged."""
        broken, other = self.unfinished()
        if other:
            # What it has in hand is not this run's doing, and soon not true any more.
            broken = self.broken
            message += f"; {other} is still at work on the packages"
        half_done = bool(broken) or (self.begun and (bool(other) or self.installed() != self.settled))
        left = f"in the middle of it: {', '.join(broken)}" if broken else "packages were changed"
        state = left if half_done else UNTOUCHED
        self.module.fail_json(msg=f"{state}; {message}", half_done=half_done, **more)

    def _run(self, argv: list[str], data: Optional[str] = None) -> tuple[int, str, str]:
        """Waits for other package managers, and fails where they do not end."""

        def attempt() -> tuple[tuple[int, str, str], str]:
            code, out, err = self.module.run_command(argv, data=data, environ_update=ENVIRONMENT)
            return (code, out, err), railbed_apt.locked(err) if code != 0 else ""

        said, other = self.patience.until(attempt)
        if other:
            self.fail(f"{self.waited}: {other}", rc=said[0])
        return said

    def _call(self, words: list[str], what: str, changes: bool = False) -> str:
        """apt-get; fails with the sources that are at fault, or else with its last words."""
        # apt itself waits for dpkg's locks only, and not for those of the lists and the archives.
        given = ["DPkg::Lock::Timeout=0", *STRICT]
        given += [f"Dpkg::Options::={option}" for option in KEEP_CONFIGURATION]
        options = [word for option in given for word in ("-o", option)]
        code, out, err = self._run([*APT, *options, *words])
        self.begun = self.begun or changes
        if code != 0:
            found = railbed_apt.troubles(f"{out}\n{err}")
            last = "\n".join(f"{out}\n{err}".strip().splitlines()[-15:])
            message = "; ".join(map(str, found)) or last
            self.fail(f"{what} failed: {message}", rc=code, sources=[asdict(one) for one in found])
        return str(out)


def loose(wanted: list[str], after: dict[str, Installed]) -> list[str]:
    """The packages that should be held and are not."""
    return sorted(name for name in meant(wanted, after) if name not in after or not after[name].held)


def meant(wanted: Iterable[str], there: Iterable[str]) -> set[str]:
    """The names that ``wanted`` means; of names with wildcards those that are ``there``."""
    names = set()
    for name in wanted:
        wild = any(mark in name for mark in "*?[")
        names.update([one for one in there if fnmatchcase(one, name)] if wild else [name])
    return names


def bring(apt: Apt, lacking: list[str], first: list[str], refresh: bool) -> None:
    """Everything that may fail comes before the first change. ``first`` are patterns of names."""
    if lacking or refresh or apt.broken:
        apt.refresh()
    early = [one for one in lacking if any(fnmatchcase(split(one)[0].rstrip("-"), name) for name in first)]
    if early:
        apt.fetch(early)
        apt.install(early)
        apt.settle()
    rest = [one for one in lacking if one not in early]
    if rest or apt.broken:
        apt.fetch(rest)
        apt.install(rest)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "first": {"type": "list", "elements": "str", "default": []},
            "hold": {"type": "list", "elements": "str", "default": []},
            "sources": {"type": "list", "elements": "path", "default": []},
            "lock_timeout_s": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    own = {split(package)[0] for package in given["packages"]}
    names = own | set(given["hold"])
    former = set(railbed_apt.noted(HELD)) - names
    kept = set(railbed_apt.noted(KEPT)) - own
    apt = Apt(module, sorted(names | former | kept))
    now = apt.before
    if apt.broken and not module.check_mode:
        apt.mend()
        now = apt.installed()
    lacking = missing(given["packages"], now)
    leaving = {name: one.version for name, one in now.items() if name in former}
    if not module.check_mode:
        asked = [*lacking, *(f"{name}-" for name in leaving)]
        bring(apt, asked, given["first"], stale(given["sources"], REFRESHED))
    after = apt.installed() if (lacking or leaving or apt.broken) and not module.check_mode else apt.before
    still = [*missing(given["packages"], after), *(former & after.keys())] if not module.check_mode else []
    if still:
        apt.fail(f"apt-get ended well, but these are not as asked for: {', '.join(still)}")
    unheld = loose(given["hold"], after)
    wanted = meant(given["hold"], after)
    # Only what this module itself held: a hold that a person set stays.
    freed = sorted(name for name in kept - wanted if name in after and after[name].held)
    if not module.check_mode:
        # Before they are held: a run that is cut off in between must not take its own holds for a person's.
        railbed_apt.note(KEPT, kept | (set(unheld) & wanted - own))
        if unheld:
            apt.select(unheld, "hold")
        if freed:
            apt.select(freed, "install")
        railbed_apt.note(HELD, [name for name in given["hold"] if name in own])
        railbed_apt.note(KEPT, (kept | set(unheld)) & wanted - own)
    before = {split(package)[0]: apt.before.get(split(package)[0]) for package in lacking}
    changes = {name: one.version if one else "" for name, one in before.items()}
    versions = {name: now.version for name, now in sorted(after.items())}
    diff = {
        "before": lines(changes)
        + lines(leaving)
        + "".join(f"{name} (half installed)\n" for name in apt.broken),
        "after": "".join(f"{package}\n" for package in lacking)
        + lines(dict.fromkeys(leaving, ""))
        + "".join(f"hold {name}\n" for name in unheld)
        + "".join(f"no hold {name}\n" for name in freed),
    }
    changed = bool(lacking or leaving or unheld or freed or apt.broken)
    module.exit_json(
        changed=changed,
        installed=changes,
        removed=leaving,
        versions=versions,
        diff=[diff] if changed and module._diff else [],
    )


if __name__ == "__main__":
    main()
