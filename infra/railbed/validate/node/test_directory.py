"""The directory of people, as SSSD has it: online, the groups that may log in found, and no admin's id in it.

While the directory is away SSSD goes on with whom it has seen: that is neither healthy nor broken, so it is unproven.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import NOT_FOUND, NOT_RUN, TIMED_OUT, Finding, Probe

DOMAIN = "directory"
"""Name of the domain in the sssd.conf of role directory."""
ONLINE, OFFLINE = "Online status: Online", "Online status: Offline"
"""What `sssctl domain-status --online` of sssd 2.8 prints first."""
ABSENT = 2
"""Exit status of getent(1) where a key is not found."""


def people(probe: Probe, want: dict[str, Any]) -> Finding:
    """SSSD is online, finds each group, and has nobody with the id of an admin of this host."""
    directory = want["directory"]
    if not directory:
        return Finding("unproven", "the contract names no directory", expected="online")
    status = probe.run(["sssctl", "domain-status", "--online", DOMAIN])
    if OFFLINE in status.out:
        reason = "SSSD is offline: no server answers it, and only people whom it has seen before log in"
        return Finding("unproven", reason, "offline", "", "online")
    if ONLINE not in status.out:
        return _silent(probe, status.first_line)
    return (
        _group(probe, directory["groups"]) or _ids(probe, directory["admins"]) or _well(directory["groups"])
    )


def _well(groups: list[str]) -> Finding:
    return Finding("pass", f"SSSD is online and finds {', '.join(groups)}", "online", "", "online")


def _wrong(reason: str, measured: str) -> Finding:
    return Finding("fail", reason, measured, "", "online", ("directory",))


def _silent(probe: Probe, said: str) -> Finding:
    """sssctl reports nothing: a daemon that does not run is a fault, all else is not known."""
    unit = probe.run(["systemctl", "is-active", "sssd.service"]).out.strip()
    if unit in ("inactive", "failed"):
        return _wrong(f"sssd.service is {unit}", unit)
    return Finding(
        "unproven", f"sssctl does not tell whether the directory answers: {said}", expected="online"
    )


def _group(probe: Probe, groups: list[str]) -> Optional[Finding]:
    for group in groups:
        answer = probe.run(["getent", "-s", "sss", "group", group])
        if answer.code == ABSENT:
            return _wrong(
                f"SSSD is online and finds no group {group}: look at base, kind and first_id", "absent"
            )
        if answer.code != 0 or not answer.out.startswith(f"{group}:"):
            return Finding(
                "unproven", f"getent does not tell of group {group}: {answer.first_line}", expected="online"
            )
    return None


def _ids(probe: Probe, admins: list[str]) -> Optional[Finding]:
    """Whoever of the directory has an admin's id owns that admin's files."""
    if not admins:
        return None
    local = probe.run(["getent", "-s", "files", "passwd", *admins])
    owners = {fields[2]: fields[0] for fields in map(_fields, local.out.splitlines()) if fields}
    if local.code in (TIMED_OUT, NOT_RUN, NOT_FOUND) or not owners:
        return Finding(
            "unproven", f"getent does not tell the admins' ids: {local.first_line}", expected="online"
        )
    same = probe.run(["getent", "-s", "sss", "passwd", *owners])
    if same.code not in (0, ABSENT):
        return Finding(
            "unproven", f"getent does not tell whose ids those are: {same.first_line}", expected="online"
        )
    shared = [f"{one[2]} of admin {owners[one[2]]} is {one[0]}'s" for one in map(_fields, same.out.splitlines())
              if one and one[2] in owners]  # fmt: skip
    if shared:
        return _wrong(f"people of the directory have ids of admins: {'; '.join(shared)}", "the same ids")
    return None


def _fields(line: str) -> list[str]:
    """Fields of a line of passwd(5); none for any other line."""
    fields = line.split(":")
    return fields if len(fields) == 7 and fields[2].isdigit() else []


@pytest.mark.claim("node.directory")
def test_directory(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(people(probe, want))
