"""Runs the test tiers of railbed in order, each to its end, and says what ran, what failed and what could not run.

usage: tests/run.py [TIER…]     without a tier: all of them but those that are run by name
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHELL = [
    "infra/railbed/effects/lab/boot.sh", "infra/railbed/effects/lab/machines/start.sh",
    "infra/railbed/effects/lab/machines/guest/railbed-lab-setup", "infra/railbed/configure/bin/ansible-playbook",
    "infra/railbed/validate/node/container_probe.sh", "plugins/pulumi/railbed/pulumi-resource-railbed",
    "roles/container_runtime/files/own-folder", ".ci/run",
]  # fmt: skip
STATIC = ROOT / "tests/roles/localhost.ini"
QUIET_LINT = ["--offline", "--strict", "-q"]
PYTEST = [sys.executable, "-m", "pytest", "-q"]
TOOLS = [sys.executable, "tests/tools.py"]
SPREAD = [*PYTEST, "-n", "auto", "--dist"]
ANY, FILES = [*SPREAD, "worksteal"], [*SPREAD, "loadfile"]
"""Over all processors: test by test, or, where the tests of a file share what its fixtures start, file by file."""

TIERS: dict[str, list[list[str]]] = {
    "lint": [
        ["ruff", "check", "infra", "tests", "tools", "benchmarks", "plugins", "roles", "policy"],
        ["ruff", "format", "--check", "infra", "tests", "tools", "benchmarks", "plugins", "roles", "policy"],
        ["mypy"],
        # Else they rot between two measurements.
        [
            "env",
            "MYPYPATH=infra:benchmarks",
            "mypy",
            "--explicit-package-bases",
            "--follow-imports=silent",
            "benchmarks",
        ],
        ["lint-imports"],
        # A stack's own inventory needs a cluster; the syntax of plays does not.
        ["env", f"ANSIBLE_INVENTORY={STATIC}", "ANSIBLE_INVENTORY_ENABLED=ini", "ansible-lint", *QUIET_LINT],
        ["yamllint", "--strict", "roles", "playbooks", "examples", "infra/railbed/catalog"],
        ["shellcheck", *SHELL],
    ],
    "unit": [[*ANY, "tests/unit"]],
    "program": [[*TOOLS, "xorriso=xorriso", "qemu-img=qemu-utils"], [*FILES, "tests/program"]],
    "roles": [
        [*TOOLS, "apt-ftparchive=apt-utils"],
        [sys.executable, "tests/roles/setup.py"],
        [*FILES, "tests/roles"],
    ],
    "validation": [[*FILES, "tests/validation"]],
    "fabric": [[sys.executable, "tests/fabric/setup.py"], [*PYTEST, "tests/fabric"]],
    "kube": [[sys.executable, "tests/kube/setup.py"], [*PYTEST, "--durations=10", "tests/kube"]],
    "machines": [
        [sys.executable, "tests/machines/setup.py"],
        [*PYTEST, "-x", "--durations=10", "tests/machines"],
    ],
    "lab": [
        [*TOOLS, "nft=nftables"],
        [*PYTEST, "-x", "--durations=15", "-m", "not long", "tests/lab"],
    ],
    "lab-long": [
        [*TOOLS, "nft=nftables"],
        [*PYTEST, "-x", "--durations=15", "tests/lab"],
    ],
}
NEEDS_ROOT = {"fabric", "machines", "lab", "lab-long"}
LACKS = {
    "machines": "QEMU or /dev/net/tun cannot be had",
    "kube": "the control plane cannot be built: Go or its modules cannot be had",
}
"""Tier → what its setup lacks where it ends with ``NOT_HERE``."""
BY_NAME = {
    "machines": "run it by name: an emulated boot can hang (docs/adr/0016)",
    "lab-long": "run it by name before a release: the tier lab with the tests that `make test` has no time for",
}
"""Tier → why a run of all tiers leaves it out."""
NOT_HERE = os.EX_TEMPFAIL


def run_tier(name: str) -> str:
    """``passed``, ``failed`` or ``not run``; every command of a tier runs, whatever became of the one before."""
    if name in NEEDS_ROOT and os.geteuid() != 0:
        return "not run (needs root)"
    failed = []
    for command in TIERS[name]:
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status == NOT_HERE and name in LACKS:
            return f"not run ({LACKS[name]})"
        failed += [command] if status else []
    for command in failed:
        print(f"tier {name}: failed: {' '.join(command)}", flush=True)
    return "failed" if failed else "passed"


def main() -> int:
    """Exit status 0 when every tier that was asked for passed, or needs root where nobody is root."""
    # The tools beside this Python, also where nobody put them on PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    wanted = sys.argv[1:] or [name for name in TIERS if name not in BY_NAME]
    unknown = [name for name in wanted if name not in TIERS]
    if unknown:
        print(f"unknown tier {', '.join(unknown)}; there are: {', '.join(TIERS)}")
        return 2
    results = {}
    for name in wanted:
        start = time.monotonic()
        print(f"== tier {name}", flush=True)
        results[name] = f"{run_tier(name)}  {time.monotonic() - start:.0f} s"
    print("== tiers")
    for name, result in results.items():
        print(f"   {name:12} {result}", flush=True)
    for name in [] if sys.argv[1:] else BY_NAME:
        print(f"   {name:12} not run ({BY_NAME[name]})", flush=True)
    return 1 if any(result.startswith("failed") for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
