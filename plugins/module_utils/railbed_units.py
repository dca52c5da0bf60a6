"""systemd units: bring them to their state, and restart those whose files are newer than they are. For modules."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

UNIT = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "enabled": {"type": "bool", "default": True},
    "files": {"type": "list", "elements": "path", "default": []},
    "on_change": {"type": "str", "choices": ["restart", "reload"], "default": "restart"},
}
"""Options of one unit."""
ARGUMENTS: dict[str, Any] = {
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
    "timeout_s": {"type": "int", "default": 300},
    "settle_s": {"type": "float", "default": 0.5},
}
"""Options of a module that brings units to their state."""
STAMPS = "/run/railbed/units"
SHOWN = "LoadState,ActiveState,UnitFileState,InvocationID,ActiveEnterTimestamp,NeedDaemonReload"
JOURNAL_LINES = "15"
RUNNING = ("active", "reloading")
AT_BOOT = ("enabled", "static", "generated", "alias", "indirect")
NOT_AT_BOOT = ("disabled", "static", "masked", "masked-runtime", "")


class Unit(NamedTuple):
    """What systemd says about one unit. A tuple: every start of a module would pay for the import of dataclasses."""

    load: str
    active: str
    file_state: str
    invocation: str
    started_at: float
    needs_reload: bool

    @property
    def masked(self) -> bool:
        return self.load == "masked" or self.file_state.startswith("masked")


def _unit(block: str) -> Unit:
    """One block of `systemctl show`."""
    fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    stamp = fields.get("ActiveEnterTimestamp", "").lstrip("@")
    return Unit(
        load=fields.get("LoadState", ""), active=fields.get("ActiveState", ""),
        file_state=fields.get("UnitFileState", ""), invocation=fields.get("InvocationID", ""),
        started_at=float(stamp) if stamp.isdigit() else 0.0,
        needs_reload=fields.get("NeedDaemonReload") == "yes",
    )  # fmt: skip


class Systemd:
    """systemctl, and the stamps that say with which files a unit was started."""

    def __init__(self, module: AnsibleModule, changed: list[str]) -> None:
        self.module = module
        self.changed = set(changed)
        self.actions: list[list[str]] = []

    def show(self, names: list[str]) -> dict[str, Unit]:
        """The present state of units, by name."""
        argv = ["systemctl", "show", "--timestamp=unix", f"--property={SHOWN}", *names]
        _, out, _ = self.module.run_command(argv, check_rc=True)
        return dict(zip(names, (_unit(block) for block in out.strip("\n").split("\n\n"))))

    def do(self, *argv: str) -> None:
        """Runs one systemctl verb, or only notes it in check mode."""
        self.actions.append(list(argv))
        if not self.module.check_mode:
            self.wait(*argv)

    def wait(self, *argv: str) -> None:
        """Runs one systemctl verb to its end; a start joins one that is under way."""
        timeout = ["timeout", str(self.module.params["timeout_s"])]
        code, out, err = self.module.run_command([*timeout, "systemctl", *argv])
        if code != 0:
            reason = "no answer in time" if code == 124 else (err or out).strip()
            self._fail(argv[-1], f"systemctl {' '.join(argv)}: {reason}")

    def _fail(self, name: str, message: str) -> None:
        argv = ["journalctl", "-q", "-n", JOURNAL_LINES, "-o", "cat", "-u", name]
        _, log, _ = self.module.run_command(argv)
        self.module.fail_json(msg=f"{message}\n{log.strip()}".strip(), actions=self.actions)

    def require(self, name: str, unit: Unit) -> None:
        """Fails with the unit's own last words when it is not running."""
        if unit.active not in RUNNING:
            self._fail(name, f"{name} is {unit.active or 'unknown'} ({unit.load})")

    def outdated(self, want: dict[str, Any], unit: Unit) -> bool:
        """Whether a running unit was started with other files than those on disk."""
        if self.changed & set(want["files"]):
            return True
        known = self._digests(want["name"], unit).get(_key(want["files"]))
        if known is not None:
            return known != digest(want["files"])
        # Started by someone else (the boot, a package): newer files show it. Timestamps are whole seconds.
        newest = max((os.stat(p).st_mtime for p in want["files"] if os.path.exists(p)), default=0.0)
        return newest >= unit.started_at + 1

    def _digests(self, name: str, unit: Unit) -> dict[str, str]:
        """Set of files → their digest when the running unit was started or reloaded; one set for each role that names it."""
        try:
            with open(os.path.join(STAMPS, name)) as source:
                stamp = json.load(source)
        except (OSError, ValueError):
            return {}
        digests = stamp.get("digests") if isinstance(stamp, dict) else None
        return digests if isinstance(digests, dict) and stamp.get("invocation") == unit.invocation else {}

    def remember(self, want: dict[str, Any], unit: Unit) -> None:
        """Notes with which files the unit is running now; the note vanishes at a reboot."""
        if self.module.check_mode:
            return
        before = self._digests(want["name"], unit)
        digests = {**before, _key(want["files"]): digest(want["files"])}
        if digests == before:
            return
        os.makedirs(STAMPS, exist_ok=True)
        building = os.path.join(STAMPS, f".{want['name']}.new")
        with open(building, "w") as sink:
            json.dump({"invocation": unit.invocation, "digests": digests}, sink)
        os.rename(building, os.path.join(STAMPS, want["name"]))


def _key(paths: list[str]) -> str:
    return "\n".join(sorted(paths))


def digest(paths: list[str]) -> str:
    """SHA-256 over the names and the content of files; a missing one counts as such."""
    total = hashlib.sha256()
    for path in sorted(paths):
        try:
            with open(path, "rb") as source:
                content = source.read()
        except OSError:
            content = b"\0missing"
        total.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()


def prepare(systemd: Systemd, wanted: list[dict[str, Any]]) -> dict[str, Unit]:
    """Unmasks and reloads unit files, where needed; the units' states after that."""
    names = [want["name"] for want in wanted]
    now = systemd.show(names)
    masked = [want["name"] for want in wanted if want["state"] == "started" and now[want["name"]].masked]
    if masked:
        systemd.do("unmask", *masked)
        systemd.do("unmask", "--runtime", *masked)
    if any(unit.needs_reload for unit in now.values()):
        systemd.do("daemon-reload")
    elif not systemd.module.check_mode and any(
        want["state"] == "started" and now[want["name"]].load == "not-found" for want in wanted
    ):
        systemd.module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    elif not masked:
        return now
    return systemd.show(names)


def bring(systemd: Systemd, want: dict[str, Any], unit: Unit) -> bool:
    """Brings one unit to its state; whether it was started anew."""
    name = want["name"]
    if want["state"] == "stopped":
        if unit.active not in ("inactive", "failed"):
            systemd.do("stop", name)
        return False
    if unit.active == "failed":
        systemd.do("reset-failed", name)
    if unit.active not in RUNNING:
        systemd.do("start", name)
        return True
    if systemd.outdated(want, unit):
        systemd.do(want["on_change"], name)
        return True
    return False


def bring_all(module: AnsibleModule, changed: list[str]) -> tuple[list[list[str]], dict[str, str]]:
    """Brings the module's ``units`` to their state; what was done, and ActiveState of each unit afterwards.

    ``changed`` is what the same call just wrote (or, in check mode, would have).
    """
    systemd = Systemd(module, changed)
    states = _apply(module, systemd)
    return systemd.actions, states


def _apply(module: AnsibleModule, systemd: Systemd) -> dict[str, str]:
    wanted: list[dict[str, Any]] = module.params["units"]
    if not wanted:
        return {}
    now = prepare(systemd, wanted)
    for want in wanted:
        if now[want["name"]].load == "not-found" and not module.check_mode and want["state"] == "started":
            module.fail_json(msg=f"{want['name']}: there is no such unit")
    for verb, enabled, fitting in (("enable", True, AT_BOOT), ("disable", False, NOT_AT_BOOT)):
        asked = [want["name"] for want in wanted if want["enabled"] is enabled]
        names = [name for name in asked if now[name].file_state not in fitting]
        if names:
            systemd.do(verb, *names)
    started = [want for want in wanted if bring(systemd, want, now[want["name"]])]
    if module.check_mode:
        return {name: unit.active for name, unit in now.items()}
    if started:
        time.sleep(module.params["settle_s"])
        now = systemd.show(list(now))
        # Started again with a unit that it requires, a oneshot is on its way still.
        coming = [
            want["name"]
            for want in wanted
            if want["state"] == "started" and now[want["name"]].active == "activating"
        ]
        if coming:
            systemd.wait("start", *coming)
            now = systemd.show(list(now))
    for want in wanted:
        if want["state"] == "started":
            systemd.require(want["name"], now[want["name"]])
            systemd.remember(want, now[want["name"]])
    return {name: unit.active for name, unit in now.items()}
