"""The effects of the ladder's rungs on one node that is drained, held and idle. Who calls has checked all three just before.

Each gives why it did not work, or nothing. None is repeated by itself: whether the fault is gone is asked afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from railbed import ended
from railbed.catalog import RungName
from railbed.contract import Node
from railbed.defaults import INSTALL_EXTRA
from railbed.effects import boots
from railbed.effects.remote import Remote
from railbed.errors import HostError, RailbedError
from railbed.operate.evidence import SHELL
from railbed.operate.ladder import BOOTS

SERVICES = ("nvidia-persistenced", "nvidia-fabricmanager", "nvidia-dcgm")
"""Daemons of the driver. Not IMEX: those of one NVLink domain start together, and its other nodes have jobs."""
CLIENTS = ("nvidia-dcgm-exporter", "dcgm-exporter", "nvidia-dcgm", "nvidia-persistenced")
"""They keep GPUs open, and a GPU that is open is not reset (nvidia-smi manual page, --gpu-reset)."""
RESET_S = 300
SERVICES_S = 180.0
BOOT_S = 1500.0
"""As in playbooks/tasks/boot.yml: servers with much memory and many cards take 10 minutes and more."""
SETTLE_S = 300.0
BOOT_POLL_S = 5.0
RESTART = "".join(
    f"if systemctl is-active -q {unit}; then timeout 60 systemctl restart {unit} || exit 1; fi\n"
    for unit in SERVICES
)
RESET = f"""
active=
for unit in {" ".join(CLIENTS)}; do
  if systemctl is-active -q "$unit"; then active="$unit $active"; fi
done
back() {{ for unit in $active; do timeout 60 systemctl start "$unit"; done; }}
trap back EXIT
for unit in $active; do timeout 60 systemctl stop "$unit" || exit 1; done
timeout -k 5 {RESET_S} nvidia-smi --gpu-reset
"""
"""Without `-i` all GPUs are reset: those that NVLink joins must be reset together."""
REBOOT = "systemctl reboot\n"
"""Asks systemd and returns; the connection may end before its answer comes."""


def take(remote: Remote, node: Node, rung: RungName, marker: str) -> str:
    """Takes one rung; ``marker`` is the node's before. Why it did not work; empty where it did."""
    effects: dict[RungName, Callable[[], str]] = {
        "roles": lambda: "",
        "services": lambda: _script(remote, node.name, RESTART, SERVICES_S, "systemctl"),
        "reset": lambda: _script(remote, node.name, RESET, RESET_S + SERVICES_S, "nvidia-smi --gpu-reset"),
        "reboot": lambda: _reboot(remote, node.name, marker),
        "power-cycle": lambda: _power_cycle(remote, node, marker),
    }
    try:
        return effects[rung]()
    except RailbedError as refused:
        return refused.message


def finish(remote: Remote, node: Node, rung: str) -> None:
    """Brings a boot or a power cycle to its end that was begun by a run that was killed: the power is on, and the node was waited
    for. Whatever else was begun, nothing is done."""
    if rung not in BOOTS:
        return
    if rung == "power-cycle" and node.bmc:
        _at_bmc(remote, node, "turn_on")
    wait_up(remote, node.name, "")


def wait_up(remote: Remote, name: str, before: str) -> str:
    """Waits until the node answers with another marker than ``before`` and its units have started. Why not; empty where so."""
    end = time.monotonic() + BOOT_S
    while (now := boots.marker(remote, name)) in ("", before):
        if time.monotonic() > end:
            state = "does not answer" if not now else "did not boot"
            return f"{name} {state} within {BOOT_S / 60:g} min"
        time.sleep(BOOT_POLL_S)
    said = remote.run(name, ["systemctl", "is-system-running", "--wait"], timeout_s=SETTLE_S, check=False)
    started = said.stdout.strip() in ("running", "degraded")
    return (
        "" if started else f"{name} booted, and its units did not start: {ended.why(said, 'systemctl', name)}"
    )


def _script(remote: Remote, name: str, script: str, timeout_s: float, what: str) -> str:
    said = remote.run(name, SHELL, stdin=script, timeout_s=timeout_s, check=False)
    return "" if said.ok else ended.why(said, what, name)


def _reboot(remote: Remote, name: str, before: str) -> str:
    if not before:
        return f"{name} does not answer, so nobody would see it boot"
    said = remote.run(name, SHELL, stdin=REBOOT, timeout_s=60.0, check=False)
    if not (said.ok or said.returncode == ended.SSH_FAILED):
        return ended.why(said, "systemctl reboot", name)
    return wait_up(remote, name, before)


def _power_cycle(remote: Remote, node: Node, before: str) -> str:
    """Off, then on, at the BMC: it is asked for its serial number each time, and nothing is done to another machine."""
    _at_bmc(remote, node, "cycle")
    return wait_up(remote, node.name, before)


def _at_bmc(remote: Remote, node: Node, action: Literal["cycle", "turn_on"]) -> None:
    """An action of ``effects/bmc/power``, whose client is of the extra `metal`: nobody else has to have it."""
    try:
        from railbed.effects.bmc import of_node, power
    except ImportError as lacking:
        raise HostError(
            f"this machine lacks the client of BMCs: {lacking}", code="DOCTOR", found="not installed",
            allowed="the Python package `sushy`", hint=INSTALL_EXTRA.format(kind="metal"),
        ) from None  # fmt: skip
    act = {"cycle": power.cycle, "turn_on": power.turn_on}[action]
    act(of_node.connect(remote.work, node))
