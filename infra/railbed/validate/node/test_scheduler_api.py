"""Slurm's REST interface on a controller: it answers who shows a token, and nobody else. No token leaves the process."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Finding, Probe

SOCKET, UNIT = "/run/slurmrestd/socket", "slurmrestd.service"
WAIT_S = 10.0
MOST_BYTES = 65_536
FORGED = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjQwMDAwMDAwMDAsImlhdCI6MTYwMDAwMDAwMCwic3VuIjoicm9vdCJ9."
    + "A" * 43
)
"""For root, in the form that Slurm takes, and signed with no key of any cluster."""
OK, REFUSED = 200, 401
KEY = re.compile(r"^AuthAltParameters=jwt_key=(\S+)$", re.M)
KEY_MODES = ("400", "600")


class _Local(http.client.HTTPConnection):
    """HTTP at a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(self.path)


def _ask(probe: Probe, api: str, token: Optional[str]) -> tuple[int, str]:
    """Status and body. Raises OSError, HTTPException."""
    headers = {} if token is None else {"X-SLURM-USER-NAME": "root", "X-SLURM-USER-TOKEN": token}
    connection = _Local(probe.root + SOCKET)
    try:
        connection.request("GET", f"/slurm/{api}/ping", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(MOST_BYTES).decode(errors="replace")
    finally:
        connection.close()


def _token(probe: Probe) -> str:
    answer = probe.run(["scontrol", "token", "lifespan=30", "username=root"])
    found = re.search(r"^SLURM_JWT=([A-Za-z0-9_.-]+)\s*$", answer.out, re.M)
    return found[1] if found and answer.code == 0 else ""


def _up(body: str) -> bool:
    """Whether some controller answers, as slurmrestd says of each (``UP``, or a word of its own from 23.02 on)."""
    try:
        pings = json.loads(body)["pings"]
        return any(one.get("pinged", one.get("ping")) == "UP" for one in pings)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _private(probe: Probe) -> str:
    """What is wrong with the daemon's user, or with who may read the key; empty where nothing is."""
    pid = probe.run(["systemctl", "show", "--property=MainPID", "--value", UNIT]).out.strip()
    status = probe.read(f"/proc/{pid}/status") or ""
    users = re.search(r"^Uid:\s+(\d+)\s+(\d+)", status, re.M)
    slurm = probe.run(["id", "-u", "slurm"]).out.strip()
    if users and {users[1], users[2]} & {"0", slurm}:
        return f"slurmrestd runs as {'root' if '0' in users.groups() else 'the user of Slurm itself'}"
    named = KEY.search(probe.read("/etc/slurm/slurm.conf") or "")
    if named is None:
        return "slurm.conf names no key of tokens"
    mode, _, owner = (
        probe.run(["stat", "-L", "-c", "%a %U", probe.root + named[1]]).out.strip().partition(" ")
    )
    if mode and (mode not in KEY_MODES or owner not in ("slurm", "root")):
        return f"the key of the tokens has mode {mode} and belongs to {owner}"
    return ""


def api(probe: Probe, want: dict[str, Any]) -> Finding:
    """Three questions: without a token, with a forged one, and with one that the controller made for a few seconds."""
    version = want["scheduler_api"]
    try:
        without, _ = _ask(probe, version, None)
        forged, said = _ask(probe, version, FORGED)
        if without != REFUSED:
            return _broken(f"a request without a token is answered with {without}", without)
        if forged == OK or _up(said):
            return _broken("a request with a forged token is answered", forged)
        wrong = _private(probe)
        if wrong:
            return _broken(wrong, without)
        token = _token(probe)
        if not token:
            return Finding("unproven", "the controller makes no token (`scontrol token`)", expected=OK)
        status, body = _ask(probe, version, token)
    except FileNotFoundError:
        return _broken(f"nothing listens at {SOCKET}", "nothing")
    except (OSError, http.client.HTTPException) as lost:
        return _broken(f"slurmrestd does not answer at {SOCKET}: {type(lost).__name__}", "nothing")
    if status != OK or not _up(body):
        return _broken(
            f"a request with a token of this cluster is answered with {status}, and no controller is up",
            status,
        )
    return Finding("pass", "answers with a token, and not without or with a forged one", status, "", OK)


def _broken(why: str, measured: Any) -> Finding:
    return Finding("fail", why, measured, "", OK, ("scheduler api",))


@pytest.mark.claim("node.scheduler_api")
def test_scheduler_api(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(api(probe, want))
