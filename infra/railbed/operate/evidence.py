"""State of a node's kernel, devices and services, saved before anything on it is changed."""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from railbed import ended
from railbed.defaults import SSH_FANOUT
from railbed.effects import files
from railbed.effects.journal import now_iso
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.operate.drain import Step
from railbed.run import Result

EVIDENCE_TIMEOUT_S = 240.0
"""Longer than the sections together, each of which has a limit of its own."""
BUG_REPORT_TIMEOUT_S = 300.0
BUG_REPORT_BYTES = 32 * 1024**2

SHELL = ("sh", "-s")
"""Reads a script by standard input."""


class Asked(NamedTuple):
    """One section of the evidence."""

    program: str
    """Left out where the node lacks it."""
    command: str
    timeout_s: int
    """Its own: a driver that hangs must not cost what comes after it."""


SECTIONS = (
    Asked("uname", "date -u; uname -a; uptime; cat /proc/cmdline", 5),
    Asked("journalctl", "journalctl --no-pager -k -b -n 2000", 10),
    Asked("nvidia-smi", "nvidia-smi -L", 10),
    Asked("nvidia-smi", "nvidia-smi -q", 20),
    Asked("nvidia-smi", "nvidia-smi nvlink -s", 10),
    Asked("nvidia-smi", "nvidia-smi topo -m", 10),
    Asked("lspci", "lspci -vvnn", 10),
    Asked("rdma", "rdma link", 5),
    Asked("ibstat", "ibstat", 5),
    Asked("mlxlink", 'for card in /sys/class/infiniband/*; do mlxlink -d "${card##*/}" -m -c -e; done', 30),
    Asked("ip", "ip -s link; ss -s", 5),
    Asked("ipmitool", "ipmitool sel elist last 200", 15),
    Asked("dpkg-query", "dpkg-query -W 'nvidia*' 'slurm*' 'moosefs*' 'libnccl*' 'doca*' 'rdma-core'", 5),
    Asked("systemctl", "systemctl --failed --no-pager; journalctl --no-pager -n 500", 10),
)
SECTION_BYTES = 256 * 1024
BUG_REPORT = f"""
command -v nvidia-bug-report.sh > /dev/null || {{ echo 'nvidia-bug-report.sh is not installed' >&2; exit 3; }}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
timeout -k 5 {BUG_REPORT_TIMEOUT_S:.0f} nvidia-bug-report.sh --safe-mode --output-file "$folder/report.log" > /dev/null 2>&1 ||
  {{ echo "nvidia-bug-report.sh ended with $?" >&2; exit 4; }}
test "$(stat -c %s "$folder/report.log.gz")" -le {BUG_REPORT_BYTES} || {{ echo 'the report is too large' >&2; exit 5; }}
base64 -w 0 "$folder/report.log.gz"
"""
"""NVIDIA's own report, which its support asks for. It adds .gz to the name; safe mode leaves out what may hang
(docs.nvidia.com/deploy/xid-errors: collecting a bug report)."""


def script(sections: Iterable[Asked] = SECTIONS) -> str:
    """Shell: each section under its own time and size. A node without the programs still gives the rest."""
    lines = []
    for program, command, timeout_s in sections:
        quoted = command.replace("'", "'\\''")
        bounded = f"timeout -k 2 {timeout_s} sh -c '{quoted}' 2>&1 | head -c {SECTION_BYTES}"
        lines.append(f"printf '\\n== %s\\n' '{quoted}'")
        lines.append(f"if command -v {program} > /dev/null; then {bounded}; else echo 'not installed'; fi")
    return "\n".join(lines)


def save(remote: Remote, work: Workspace, steps: Mapping[str, Step]) -> dict[str, UnprovenError]:
    """Saves it of each node; gives those that say nothing: not to be changed blindly."""

    def ask(name: str) -> Result:
        return remote.run(
            name, SHELL, stdin=script(), check=False, timeout_s=EVIDENCE_TIMEOUT_S,
            keep_bytes=SECTION_BYTES * (len(SECTIONS) + 1),
        )  # fmt: skip

    folder, silent = work.archive / "evidence", {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in remote.each(steps, ask, SSH_FANOUT).items():
        file = folder / f"{_stem(name)}.txt"
        files.replace(file, said.stdout + said.stderr)
        if said.stdout:
            steps[name]("evidence", f"evidence in {file.relative_to(work.root)}", file=str(file))
            continue
        silent[name] = UnprovenError(
            f"{name} does not answer, so there is no evidence and no repair over SSH", code="UNREACHABLE",
            found=ended.why(said, "the evidence script", name), hint="look at the host itself; it stays drained",
        )  # fmt: skip
    return silent


def bug_report(remote: Remote, work: Workspace, name: str, step: Step) -> None:
    """Saves the vendor's report of a node. Without it, e.g. where the driver hangs, the repair goes on and says so."""
    said = remote.run(
        name, SHELL, stdin=BUG_REPORT, check=False, timeout_s=BUG_REPORT_TIMEOUT_S + EVIDENCE_TIMEOUT_S,
        keep_bytes=4 * BUG_REPORT_BYTES,
    )  # fmt: skip
    try:
        report = base64.b64decode(said.stdout, validate=True) if said.ok else b""
        gzip.decompress(report)
    except (binascii.Error, OSError, EOFError):
        report = b""
    if not report:
        step("bug-report", f"no vendor's report: {ended.why(said, 'nvidia-bug-report.sh', name)}")
        return
    file = work.archive / "evidence" / f"{_stem(name)}-nvidia-bug-report.log.gz"
    files.replace(file, report)
    step("bug-report", f"vendor's report in {file.relative_to(work.root)}", file=str(file))


def _stem(name: str) -> str:
    return f"{name}-{now_iso().replace(':', '')}"
