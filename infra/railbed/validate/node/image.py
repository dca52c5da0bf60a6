"""What a machine image brings, read on the node and compared with what its profile says.

By itself a program: role `image` runs it before anything is installed, with what to expect as JSON on its command line, and the
suite uses its functions afterwards. It reads only. Python 3.9, standard library only.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Optional

SOURCES = "/etc/apt/sources.list.d"
TRUSTED = re.compile(r"trusted\s*[=:]\s*yes|allow-insecure\s*[=:]\s*yes", re.IGNORECASE)
"""What lets apt take packages that nobody signed (sources.list(5)), in both of its formats."""
CONVERGED = "/etc/railbed/node.json"
"""Role `base` writes it, and no image has it."""
MOST_BYTES = 1 << 20
Run = Callable[[Sequence[str]], str]
"""What a command printed; empty where it failed. Raises Unanswered."""


class Unanswered(Exception):
    """A command that is not there, or did not end in time: nothing is known of what it was asked."""


def numbers(version: str) -> list[int]:
    """The numbers of a version, in order."""
    return [int(part) for part in re.findall(r"\d+", version)]


def fits(found: str, wanted: str) -> bool:
    """Whether a version is the one that is wanted, or in the range ``>=580, <600``; missing numbers count as 0."""
    if not wanted.startswith((">=", "<")):
        return found == wanted
    for part in wanted.split(","):
        sign, limit = re.fullmatch(r"\s*(>=|<)(\S+)\s*", part).groups()  # type: ignore[union-attr]
        a, b = numbers(found), numbers(limit)
        size = max(len(a), len(b))
        a, b = a + [0] * (size - len(a)), b + [0] * (size - len(b))
        if not a or (a < b if sign == ">=" else a >= b):
            return False
    return bool(numbers(found))


def whose(wanted: str) -> str:
    """What a finding adds where the image decides the version: a range, and not the release's one."""
    return ", from the image" if wanted.startswith(">=") else ""


def upstream(package_version: str) -> str:
    """A package's version without its epoch and the packager's own number (deb-version(7))."""
    return re.sub(r"^\d+:|-[^-]*$", "", package_version)


def installed(run: Run) -> dict[str, str]:
    """Package → version, of those that are installed whole."""
    listing = run(["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${db:Status-Status}\\n"])
    rows = [line.split("\t") for line in listing.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def version_of(part: dict[str, Any], run: Run, packages: dict[str, str], root: str = "") -> str:
    """The version that a node shows of a part; empty where it shows none."""
    if part["kernel"]:
        found = re.match(r"\d+(\.\d+)*", run(["uname", "-r"]))
        return found[0] if found else ""
    if part["module"]:
        found = re.search(r"\d[\w.]*", run(["modinfo", "-F", "version", part["module"]]))
        return found[0] if found else ""
    if part["file"]:
        found = re.search(r"\d+(\.\w+)+", _text(root + part["file"]))
        return found[0] if found else ""
    fitting = [n for pattern in part["packages"] for n in sorted(packages) if fnmatchcase(n, pattern)]
    return upstream(packages[fitting[0]]) if fitting else ""


def shown_by(part: dict[str, Any]) -> str:
    """Where the version was read."""
    if part["kernel"]:
        return "the running kernel"
    return (
        f"module {part['module']}"
        if part["module"]
        else part["file"] or f"package {' or '.join(part['packages'])}"
    )


def compare(image: dict[str, Any], release: str, run: Run, root: str = "") -> dict[str, Any]:
    """``versions`` found, ``wrong``: what the image lacks or has in another version, and ``mpi_home``.

    ``image`` is the contract's, of one class of nodes. Raises Unanswered.
    """
    packages = installed(run) if any(part["packages"] for part in image["brings"].values()) else {}
    versions = {name: version_of(part, run, packages, root) for name, part in image["brings"].items()}
    wrong = []
    for name, part in image["brings"].items():
        found = versions[name] or "nothing"
        if not versions[name] or not fits(versions[name], part["accepts"]):
            wrong.append(f"{name}: found {found}, expected {part['accepts']} ({shown_by(part)})")
    states = {unit: run(["systemctl", "is-enabled", unit]).strip() for unit in image["services"]}
    wrong += [
        f"{unit}: found {state or 'nothing'}, expected enabled"
        for unit, state in states.items()
        if state != "enabled"
    ]
    wrong += [
        f"{name}: found a source that takes unsigned packages, expected one with a key"
        for name in image["apt_sources"]
        if TRUSTED.search(_text(f"{root}{SOURCES}/{name}"))
    ]
    wrong += _stamp(image["stamp"], release, root)
    homes = sorted(glob.glob(root + image["mpi_home"])) if image["mpi_home"] else []
    if image["mpi_home"] and not homes:
        wrong.append(f"mpi: found nothing, expected {image['mpi_home']}")
    home = homes[-1][len(root) :] if homes else ""
    return {
        "versions": {n: v for n, v in versions.items() if v},
        "wrong": wrong,
        "mpi_home": home,
        "unread": "",
    }


def _stamp(path: str, release: str, root: str) -> list[str]:
    """A baked image says which release it holds; a node that was converged since then has that of the contract, or gets it."""
    if not path or _text(root + CONVERGED):
        return []
    try:
        said = json.loads(_text(root + path) or "{}")
        found = said.get("release") if isinstance(said, dict) else None
    except ValueError:
        found = "no JSON"
    return [] if found == release else [f"{path}: found {found or 'nothing'}, expected release {release}"]


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as source:
            return source.read(MOST_BYTES)
    except OSError:
        return ""


def run_here(argv: Sequence[str]) -> str:
    """Runs a command of this machine, for at most half a minute. Raises Unanswered."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, timeout=30,
                              env={**os.environ, "LC_ALL": "C"})  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as lost:
        raise Unanswered(f"{argv[0]} did not answer: {lost}") from lost
    return done.stdout if done.returncode == 0 else ""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """``image.py JSON``: prints what was found, as JSON; whoever asked judges it. ``unread``: why nothing is known."""
    wanted = json.loads((arguments or sys.argv[1:])[0])
    try:
        found = compare(wanted["image"], wanted["release"], run_here)
    except Unanswered as lost:
        found = {"versions": {}, "wrong": [], "mpi_home": "", "unread": str(lost)}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
