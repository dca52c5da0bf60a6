"""What is wrong with a node at this moment, by its own word: its health check, and what its driver wrote since it booted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from railbed import ended
from railbed.effects.remote import Remote
from railbed.operate.drain import Say
from railbed.operate.evidence import SHELL
from railbed.validate.node import faults, xids

TIMEOUT_S = 90.0
MARK = "== kernel log"
SCRIPT = f"""
timeout -k 2 40 /opt/railbed/checks/healthcheck --report
code=$?
printf '%s\\n' '{MARK}'
timeout -k 2 20 {shlex.join([*xids.LOG, "--grep=Xid"])} | tail -n 500
[ "$code" -le 3 ] && [ "$code" -ne 2 ]
"""
"""Of the health check 0 is nothing, 1 a fault of the node, 3 something else; 2: nobody says what the node should be. Not
`--lines`: with `--grep` it prints the newest entry first (journalctl(1)), and a reset would come before what it ended."""
_BROKEN = re.compile(r"^broken: ([a-z0-9-]{1,64}) \((.{1,80}?)\): (.*)$", re.MULTILINE)
_ACTION = re.compile(r"to 0x[0-9a-f]+ \(([A-Za-z0-9 ]{1,40})\)")
"""XID 154: ``GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)`` (NVIDIA, "XID Errors")."""


def read(remote: Remote, name: str, say: Say) -> list[str]:
    """Codes as ``catalog.Remedies`` has them, each once. None where the node does not say, which is told: the roles may bring its
    health check back, and the validation decides."""
    said = remote.run(name, SHELL, stdin=SCRIPT, timeout_s=TIMEOUT_S, check=False)
    if not said.ok:
        say(f"{name}: it does not say what is wrong with it: {ended.why(said, 'the health check', name)}")
        return []
    return of(said.stdout)


def of(text: str) -> list[str]:
    """The same, from what ``SCRIPT`` printed. Pure."""
    health, _, log = text.partition(MARK)
    written = "\n".join(xids.messages(log))
    found = [code for code, _, _ in _BROKEN.findall(health) if faults.drains(code)]
    return list(dict.fromkeys([*found, *_of_driver(xids.standing(xids.XID.findall(written)))]))


def _of_driver(lines: Sequence[tuple[str, str, str]]) -> list[str]:
    """XID 154 is the driver's last word; else the codes that point at the node, or that nobody knows."""
    if asked := [words for _, code, words in lines if int(code) == xids.RECOVERY]:
        return [f"recovery-{_slug(words)}" for words in asked]
    quiet = {*xids.APPLICATION, *xids.WATCHED}
    return [f"xid-{int(code)}" for _, code, _ in lines if int(code) not in quiet]


def _slug(words: str) -> str:
    """``GPU Reset Required`` → ``gpu-reset``."""
    found = _ACTION.search(words)
    text = (found[1] if found else "unknown").lower().removesuffix(" required")
    return "-".join(text.split())
