"""Units of systemd, for the machine that has the checkout: they compare a stack with its certificate, and give nodes back
that are well again. Pure.

All take the stack's lock. Drift comes first: nodes come back by a unit of their own, at another time, which finds the stack busy
where drift runs (and tries again an hour later), and which drift waits for where it runs: at most ``SETTLE_LONGEST`` and
the time that a unit has to stop.
"""

from __future__ import annotations

from pathlib import Path

from railbed.errors import UsageError

QUICK, FULL, SETTLE = "hourly", "*-*-* 03:30:00", "*-*-* *:10:00"
"""When: the checks of seconds, all of them, and nodes that come back (systemd.time(7)). None touches a node with a job."""
UNPROVEN = 3
"""Beside users' jobs some claims are always unproven; that is no reason to call anybody."""
LONGEST, SETTLE_LONGEST = "6h", "40min"
"""The second: no node begins after 20 minutes (``SETTLE_BUDGET_S``), and the last has as long to be validated."""
SPECIAL = frozenset("\"'\\$\n")
"""What systemd refuses in the name of a program (systemd.service(5), "Command lines"), and what would end the line."""

SERVICE = """\
# Written by `railbed drift --units`.{about}
[Unit]
Description=Stack {stack}: {what}
Wants=network-online.target
After=network-online.target{after}

[Service]
Type=oneshot
User={user}
WorkingDirectory={root}
Environment="PATH={path}"
{start}
TimeoutStartSec={longest}
# As by a person: what the run holds for its time it then gives back.
KillSignal=SIGINT
KillMode=mixed
TimeoutStopSec=10min
"""
DRIFT_ABOUT = f"""
# An exit of drift other than 0 and {UNPROVEN} (unproven) leaves the unit failed."""
DRIFT = """\
# Its own old reports first, so that there is room; where that fails it measures all the same.
ExecStartPre=-"{program}" report prune --stack {stack} --yes
ExecStart="{program}" drift --stack {stack} --hold{options}
SuccessExitStatus={unproven}"""
SETTLING_ABOUT = """
# Nodes that railbed took out and that are well again come back. One that stays out is known already, and fails no unit."""
SETTLING = """\
ExecStart=-"{program}" node settle --stack {stack} --yes"""
TIMER = """\
# Written by `railbed drift --units`.
[Unit]
Description=Stack {stack}: {what}

[Timer]
OnCalendar={when}
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(stack: str, root: Path, program: Path, user: str, path: str) -> dict[str, str]:
    """File name → content. ``root`` is the checkout, ``program`` its `railbed`, ``path`` the search path of programs, such as
    that of a provider's login service. Raises UsageError for a path that systemd does not start programs from.

    Each waits for the units of which ``after`` has the names where these run (systemd.unit(5), "After="): all hold the lock.
    """
    for one in (root, program, path):
        if strange := sorted(SPECIAL.intersection(str(one))):
            raise UsageError(
                "systemd starts no program whose path has special characters", path=str(one), found=strange,
                hint="move the checkout to a folder without them",
            )  # fmt: skip
    quick, full, settle = f"railbed-drift-{stack}", f"railbed-drift-{stack}-full", f"railbed-settle-{stack}"
    words = {
        "stack": stack, "user": user, "root": _literal(root), "program": _literal(program), "path": _literal(path),
        "unproven": UNPROVEN,
    }  # fmt: skip
    found = {}
    for name, what, about, start, options, when, longest, after in (
        (quick, "quick checks against its certificate", DRIFT_ABOUT, DRIFT, " --quick", QUICK, LONGEST, (full, settle)),
        (full, "all checks against its certificate", DRIFT_ABOUT, DRIFT, "", FULL, LONGEST, (settle,)),
        (settle, "nodes that come back", SETTLING_ABOUT, SETTLING, "", SETTLE, SETTLE_LONGEST, ()),
    ):  # fmt: skip
        own = {**words, "what": what, "options": options, "when": when, "longest": longest, "about": about,
               "after": "".join(f" {one}.service" for one in after)}  # fmt: skip
        found[f"{name}.service"] = SERVICE.format(**own, start=start.format(**own))
        found[f"{name}.timer"] = TIMER.format(**own)
    return found


def _literal(path: Path | str) -> str:
    """A path without specifiers (systemd.unit(5), "Specifiers")."""
    return str(path).replace("%", "%%")
