"""One machine through Ironic: look, decide, confirm at the BMC that it is the right one, ask, and look again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.installing import Begin
from railbed.effects.bmc.inventory import identify
from railbed.effects.bmc.system import System
from railbed.effects.bmc.target import BmcError
from railbed.effects.ironic import node
from railbed.effects.ironic.client import Nodes
from railbed.effects.ironic.states import (
    CHANGEABLE,
    CLEANING,
    WRITING,
    Action,
    Goal,
    Seen,
    Stuck,
    next_action,
    require_serial,
)

VERBS = {
    Action.MANAGE: "manage", Action.INSPECT: "inspect", Action.PROVIDE: "provide", Action.UNDEPLOY: "deleted",
    Action.ABORT: "abort",
}  # fmt: skip
REASON_POLLS = 5
CAUSES = (
    (
        "MACHINE_IDENTITY",
        "MACHINE_IDENTITY",
        "another machine answers at its BMC's address; nothing was done to it",
    ),
    ("No suitable device", "DISK_HINT", "no disk of the machine is the one that its hint means"),
    ("checksum", "INSTALLER_IMAGE", "the image is another one than the one that was meant"),
)
"""Words of Ironic's last error → code and what it comes to."""


@dataclass(frozen=True)
class Course:
    """All that one machine's way through Ironic needs."""

    nodes: Nodes
    bmc: Bmc
    goal: Goal
    setup: node.NodeSetup
    system: System
    driver_info: Callable[[], dict[str, Any]]
    """Made when it is needed: it holds the BMC's password."""

    @property
    def name(self) -> str:
        return self.bmc.target.name

    def follow(self, begin: Begin) -> None:
        """Returns once the system is on the machine; ``begin`` comes before each act that writes.

        Raises BmcError where Ironic says that it failed, or does not end.
        """
        asked: frozenset[Action] = frozenset()
        state, began = "", time.monotonic()
        while True:
            seen = self.nodes.see(self.name)
            if seen is not None and seen.state != state:
                state, began = seen.state, time.monotonic()
            try:
                action = next_action(seen, self.goal, asked)
                if action in WRITING:
                    require_serial(self.nodes.inspected_serial(self.name), self.goal)
            except Stuck as stuck:
                raise self._explained(stuck, seen) from None
            if action is Action.DONE:
                return
            if action is Action.WAIT:
                self._within(began, seen)
                if state in CLEANING and seen is not None and seen.preparing == self.goal.preparation:
                    asked |= {Action.PREPARE}  # by a run that was killed: its end is seen here
                time.sleep(self.bmc.patience.ironic_poll_s)
                continue
            identify(self.bmc)
            if action in WRITING:
                begin()
            self._ask(action, seen)
            asked |= {action}

    def _ask(self, action: Action, seen: Seen | None) -> None:
        nodes, name, setup = self.nodes, self.name, self.setup
        if action is Action.ENROL:
            fields = self._fields()
            fields["extra"][node.ENROLLED] = True
            nodes.create(name, fields)
            nodes.patch(name, {"automated_clean": False, **self._described()})
        elif action is Action.DESCRIBE:
            self._describe(seen)
        elif action is Action.PREPARE:
            nodes.patch(name, {f"extra/{node.PREPARING}": self.goal.preparation})
            if setup.mirror:
                nodes.set_raid(name, node.raid(setup))
            nodes.provision(name, "clean", clean_steps=node.steps(setup))
        elif action is Action.NOTE:
            nodes.patch(
                name, {f"extra/{node.PREPARED}": self.goal.preparation, f"extra/{node.PREPARING}": ""}
            )
        elif action is Action.KEEP:
            nodes.patch(name, {"automated_clean": False})
        elif action is Action.FORGET:
            nodes.forget(name)
        elif action is Action.DEPLOY:
            nodes.patch(name, {
                "instance_info": node.instance_info(setup), f"extra/{node.DEPLOYED}": self.goal.generation,
                f"extra/{node.WRITTEN}": self.goal.digest, f"extra/{node.KEY}": self.goal.key,
            })  # fmt: skip
            nodes.provision(name, "active", config_drive=node.config_drive(self.system, setup.port))
        else:
            nodes.provision(name, VERBS[action])

    def _fields(self) -> dict[str, Any]:
        own = {node.SERIAL: self.bmc.target.serial, node.OWNER: self.goal.owner}
        return {"driver_info": self.driver_info(), "extra": own}

    def _describe(self, seen: Seen | None) -> None:
        """The node's own ``extra`` and, where the site enrolled it, its way to the BMC stay."""
        assert seen is not None
        if seen.fault:
            self.nodes.end_maintenance(self.name)
        fields = self._fields()
        values: dict[str, Any] = {f"extra/{key}": value for key, value in fields["extra"].items()}
        if seen.enrolled:
            values |= {f"driver_info/{key}": value for key, value in fields["driver_info"].items()}
        if seen.state in CHANGEABLE:
            values |= self._described()
        self.nodes.patch(self.name, {"automated_clean": False, **values})

    def _described(self) -> dict[str, Any]:
        return {
            **node.described(self.setup), "network_data": node.network_data(self.system, self.setup.port),
            f"extra/{node.DESCRIBED}": self.goal.digest,
        }  # fmt: skip

    def _within(self, began: float, seen: Seen | None) -> None:
        erasing = self.setup.erase == "full" and seen is not None and seen.state in CLEANING
        limit_s = self.bmc.patience.erase_s if erasing else self.bmc.patience.install_s
        if time.monotonic() - began >= limit_s:
            raise BmcError(
                self.bmc.target, "Ironic has not ended with it", code="INSTALL_TIMEOUT", found=seen and seen.state,
                allowed=f"the next step within {limit_s:g} s",
                hint="look at its console; does the machine reach Ironic's address? The same command goes on from there",
            )  # fmt: skip

    def _explained(self, stuck: Stuck, seen: Seen | None) -> BmcError:
        """Ironic writes down why a step failed a moment after it has failed."""
        reason = stuck.reason
        for _ in range(REASON_POLLS):
            if stuck.code != "IRONIC_FAILED" or seen is None or seen.error:
                break
            time.sleep(self.bmc.patience.ironic_poll_s)
            seen = self.nodes.see(self.name)
            reason = seen.error if seen and seen.error else reason
        for word, code, message in CAUSES:
            if word in reason:
                return BmcError(
                    self.bmc.target, message, code=code, found=reason,
                    hint=stuck.hint or "mend it, and run the same again",
                )  # fmt: skip
        return BmcError(
            self.bmc.target, f"Ironic does not come further: {reason}", code=stuck.code,
            hint=stuck.hint or "mend what it names, and run the same again: it goes on from there",
        )  # fmt: skip
