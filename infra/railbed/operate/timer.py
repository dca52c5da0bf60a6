"""Units of systemd that compare a stack with its certificate by themselves, on the machine that has its checkout. Pure."""

from __future__ import annotations

from pathlib import Path

from railbed.errors import UsageError

QUICK, FULL = "hourly", "*-*-* 03:30:00"
"""When: the checks of seconds, and all of them (systemd.time(7)). Nodes with a job are left alone by both."""
UNPROVEN = 3
"""Beside users' jobs some claims are always unproven; that is no reason to call anybody."""
LONGEST = "6h"
SPECIAL = frozenset("\"'\\$\n")
"""What systemd refuses in the name of a program (systemd.service(5), "Command lines"), and what would end the line."""

SERVICE = """\
# Written by `railbed drift --units`. Nodes that railbed took out and that are well again come back first.
# An exit of drift other than 0 and {unproven} (unproven) leaves the unit failed.
[Unit]
Description={what} of stack {stack} against its certificate
Wants=network-online.target
After=network-online.target{after}

[Service]
Type=oneshot
User={user}
WorkingDirectory={root}
Environment="PATH={path}"
# Its own old reports first, so that there is room; then nodes that come back. Neither is a reason not to measure.
ExecStartPre=-"{program}" report prune --stack {stack} --yes
ExecStartPre=-"{program}" node settle --stack {stack} --yes
ExecStart="{program}" drift --stack {stack} --hold{options}
SuccessExitStatus={unproven}
TimeoutStartSec={longest}
# As by a person: what the run holds for its time it then gives back.
KillSignal=SIGINT
KillMode=mixed
TimeoutStopSec=10min
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


def units(stack: str, root: Path, program: Path, user: str, path: str) -> dict[str, str]:
    """File name → content. ``root`` is the checkout, ``program`` its `railbed`, ``path`` where programs are looked for, such as
    that of a provider's login service. Raises UsageError for a path that systemd does not start programs from.

    The quick one waits for a whole one that runs (systemd.unit(5), "After="): both hold the stack's lock.
    """
    for one in (root, program, path):
        if strange := sorted(SPECIAL.intersection(str(one))):
            raise UsageError(
                "systemd starts no program whose path has special characters", path=str(one), found=strange,
                hint="move the checkout to a folder without them",
            )  # fmt: skip
    name, found = f"railbed-drift-{stack}", {}
    for suffix, what, options, when in (
        ("", "quick checks", " --quick", QUICK), ("-full", "all checks", "", FULL),
    ):  # fmt: skip
        words = {
            "stack": stack, "what": what, "options": options, "when": when, "user": user, "longest": LONGEST,
            "root": _literal(root), "program": _literal(program), "path": _literal(path), "unproven": UNPROVEN,
            "after": "" if suffix else f" {name}-full.service",
        }  # fmt: skip
        found[f"{name}{suffix}.service"] = SERVICE.format(**words)
        found[f"{name}{suffix}.timer"] = TIMER.format(**words)
    return found


def _literal(path: Path | str) -> str:
    """A path without specifiers (systemd.unit(5), "Specifiers")."""
    return str(path).replace("%", "%%")
