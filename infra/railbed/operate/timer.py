"""Units of systemd that compare a stack with its certificate by themselves, on the machine that has its checkout. Pure."""

from __future__ import annotations

from pathlib import Path

from railbed.errors import UsageError

QUICK, FULL = "hourly", "*-*-* 03:00:00"
"""When: the checks of seconds, and all of them (systemd.time(7)). Nodes with a job are left alone by both."""
LONGEST = "6h"
SPECIAL = frozenset("\"'\\$\n")
"""What systemd refuses in the name of a program (systemd.service(5), "Command lines"), and what would end the line."""

SERVICE = """\
# Written by `railbed drift --units`. An exit other than 0 leaves the unit failed, which `systemctl --failed` and monitoring show.
[Unit]
Description={what} of stack {stack} against its certificate
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
WorkingDirectory={root}
ExecStart="{program}" drift --stack {stack} --hold{options}
TimeoutStartSec={longest}
"""
TIMER = """\
# Written by `railbed drift --units`.
[Unit]
Description={what} of stack {stack} against its certificate

[Timer]
OnCalendar={when}
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(stack: str, root: Path, program: Path, user: str) -> dict[str, str]:
    """File name → content. ``root`` is the checkout, ``program`` its `railbed`. Raises UsageError for a path that systemd does
    not start programs from."""
    for path in (root, program):
        if strange := sorted(SPECIAL.intersection(str(path))):
            raise UsageError(
                "systemd starts no program whose path has special characters", path=str(path), found=strange,
                hint="move the checkout to a folder without them",
            )  # fmt: skip
    found = {}
    for suffix, what, options, when in (
        ("", "quick checks", " --quick", QUICK), ("-full", "all checks", "", FULL),
    ):  # fmt: skip
        words = {
            "stack": stack, "what": what, "options": options, "when": when, "user": user, "longest": LONGEST,
            "root": _literal(root), "program": _literal(program),
        }  # fmt: skip
        name = f"railbed-drift-{stack}{suffix}"
        found[f"{name}.service"] = SERVICE.format(**words)
        found[f"{name}.timer"] = TIMER.format(**words)
    return found


def _literal(path: Path) -> str:
    """A path without specifiers (systemd.unit(5), "Specifiers")."""
    return str(path).replace("%", "%%")
