"""Power of a machine: on, off, cycle; asked for once, then watched until it is so, or a clear error says that it is not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sushy
from sushy import exceptions

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.target import BmcError

ON = (sushy.RESET_ON, sushy.RESET_FORCE_ON, sushy.RESET_PUSH_POWER_BUTTON)
SHUTDOWN = (sushy.RESET_GRACEFUL_SHUTDOWN,)
CUT = (sushy.RESET_FORCE_OFF,)


@dataclass
class Watched:
    """The power states that were seen, each with the second at which it was first seen."""

    began: float = field(default_factory=time.monotonic)
    states: list[tuple[int, str]] = field(default_factory=list)

    def see(self, state: str) -> None:
        if not self.states or self.states[-1][1] != state:
            self.states.append((round(time.monotonic() - self.began), state))

    def __str__(self) -> str:
        return ", ".join(f"{state} from {second} s" for second, state in self.states)


def named(state: Any) -> str:
    """``on``, ``off``, ``poweringon``, …; ``unknown`` where the BMC does not show it."""
    return str(state.value).lower() if state is not None else "unknown"


def state(bmc: Bmc) -> str:
    """The power state now, as ``named``."""
    return bmc.act("read its power", lambda system: named(system.power_state))


def turn_on(bmc: Bmc) -> None:
    """Returns once the machine is on. Raises BmcError ``POWER_STUCK`` where it stays as it is."""
    _ask(bmc, "on", ON)
    watched = until(bmc, "on", bmc.patience.power_s)
    if watched is not None:
        raise _stuck(bmc, "on", watched, bmc.patience.power_s)


def turn_off(bmc: Bmc) -> None:
    """Shuts the operating system down, and cuts the power of one that does not end. Raises as ``turn_on``."""
    if _ask(bmc, "off", SHUTDOWN) and until(bmc, "off", bmc.patience.shutdown_s) is None:
        return
    _ask(bmc, "off", CUT)
    watched = until(bmc, "off", bmc.patience.power_s)
    if watched is not None:
        raise _stuck(bmc, "off", watched, bmc.patience.power_s)


def cycle(bmc: Bmc) -> None:
    """Off, then on: a request that is lost or repeated leaves the same end, which a reset's would not."""
    turn_off(bmc)
    turn_on(bmc)


def until(bmc: Bmc, wanted: str, limit_s: float) -> Watched | None:
    """Watches until the power is as wanted: None; or what was seen when the time ran out."""
    watched = Watched()
    while True:
        now = state(bmc)
        watched.see(now)
        if now == wanted:
            return None
        if time.monotonic() - watched.began >= limit_s:
            return watched
        time.sleep(bmc.patience.poll_s)


def _ask(bmc: Bmc, wanted: str, kinds: Sequence[Any]) -> bool:
    """Sends the first kind that the BMC offers, unless it is so already; False where it offers none."""

    def request(system: Any) -> bool:
        if named(system.power_state) == wanted:
            return True
        offered = system.get_allowed_reset_system_values()
        kind = next((kind for kind in kinds if kind in offered), None)
        if kind is None and kinds == SHUTDOWN:
            return False
        if kind is None:
            raise exceptions.MissingAttributeError(attribute=f"reset to {wanted}", resource=system.path)
        system.reset_system(kind)
        return True

    return bmc.act(f"turn it {wanted}", request)


def _stuck(bmc: Bmc, wanted: str, watched: Watched, limit_s: float) -> BmcError:
    return BmcError(
        bmc.target, f"the BMC accepted the request, but the machine does not turn {wanted}", code="POWER_STUCK",
        found=str(watched), allowed=f"{wanted} within {limit_s:g} s",
        hint="look at its event log and console (power supplies, a power cap, a held button); then run the same again",
    )  # fmt: skip
