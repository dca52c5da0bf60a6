"""What NCCL reads at the start of every job: /etc/nccl.conf, and the topology file that it names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

FOLDER, FILE = "/etc", "nccl.conf"
TOPOLOGY = "NCCL_TOPO_FILE"
LINE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$")
SYSTEM = re.compile(r"<system\b")
"""The element that such a file is (NVIDIA/nccl, src/graph/xml.cc)."""
PART = "nccl"
MAX_LISTED = 4


def read_variables(text: str) -> dict[str, str]:
    """Variable → value. Of one that is there twice the first counts: a later line takes no value's place (NVIDIA/nccl,
    src/misc/param.cc, setEnvFile)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            found.setdefault(match[1], match[2])
    return found


def nccl(probe: Probe, want: dict[str, Any]) -> Finding:
    """The file has every variable that the cluster asks, with its value; others may be there."""
    wanted: dict[str, str] = want["nccl"]
    expected = " ".join(f"{name}={value}" for name, value in sorted(wanted.items()))
    if not wanted:
        return Finding("unproven", "no NCCL settings are known for this node")
    text = probe.read(f"{FOLDER}/{FILE}")
    if text is None and FILE in probe.names(FOLDER):
        return Finding("unproven", f"{FOLDER}/{FILE} cannot be read", expected=expected)
    found = read_variables(text or "")
    wrong = [
        f"{name} is {found.get(name, 'not there')}, not {value}"
        for name, value in sorted(wanted.items())
        if found.get(name) != value
    ]
    if wrong:
        more = f" and {len(wrong) - MAX_LISTED} more" if len(wrong) > MAX_LISTED else ""
        why = f"in {FOLDER}/{FILE} {'; '.join(wrong[:MAX_LISTED])}{more}"
        return Finding("fail", why, len(wanted) - len(wrong), "variables", len(wanted), (PART,))
    file = wanted.get(TOPOLOGY, "")
    if file and not SYSTEM.search(probe.read(file) or ""):
        return Finding("fail", f"{file} is no topology of NCCL's", file, "", expected, (PART,))
    return Finding("pass", f"NCCL has {len(wanted)} variables", len(wanted), "variables", len(wanted))


@pytest.mark.claim("node.nccl")
def test_nccl(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(nccl(probe, want))
