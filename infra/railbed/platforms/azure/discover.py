"""Members of a pool's scale sets and their host keys: two lists for each set, then the console's log of each VM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from railbed.platforms.azure.facts import facts
from railbed.platforms.azure.session import NETWORK, Session
from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.members import Member, PoolStatus, share

THERE = ("Succeeded", "Updating")
SHOWN_REASONS = 3


class PoolReader:
    """One run's look at a cluster."""

    def __init__(self, session: Session, group: str) -> None:
        self.session = session
        self.root = f"resourceGroups/{group}/providers"
        self.paths: dict[str, str] = {}
        """VM id → path of the VM, for the calls that take no id."""

    def set_path(self, name: str) -> str:
        return f"{self.root}/Microsoft.Compute/virtualMachineScaleSets/{name}"

    def members(self, names: Iterable[str]) -> list[Member]:
        """VMs of the sets that are there."""
        limit = facts().group_limit
        return [one for index, name in enumerate(names) for one in self._members(name, share(index, limit))]

    def _members(self, name: str, places: tuple[int, int]) -> list[Member]:
        listed = list(self.session.pages(f"{self.set_path(name)}/virtualMachines"))
        cards = addresses(self.session.pages(f"{self.set_path(name)}/networkInterfaces", NETWORK))
        found = []
        for one in listed:
            about = one["properties"]
            if about["provisioningState"] in THERE and one["instanceId"] in cards:
                self.paths[about["vmId"]] = f"{self.set_path(name)}/virtualMachines/{one['instanceId']}"
                found.append(
                    Member(
                        id=about["vmId"],
                        address=cards[one["instanceId"]],
                        created=about.get("timeCreated", ""),
                        places=places,
                    )
                )
        return found

    def single(self, name: str) -> list[Member]:
        """The VM ``name`` that the program made by itself."""
        path = f"{self.root}/Microsoft.Compute/virtualMachines/{name}"
        one = self.session.get(path)
        if one is None or one["properties"]["provisioningState"] not in THERE:
            return []
        (card, *_) = one["properties"]["networkProfile"]["networkInterfaces"]
        about = self.session.get(card["id"], NETWORK) or {}
        (address, *_) = about["properties"]["ipConfigurations"]
        key = one["properties"]["vmId"]
        self.paths[key] = path
        return [Member(id=key, address=address["properties"]["privateIPAddress"])]

    def reasons(self, names: Iterable[str]) -> list[str]:
        """Why sets did not get all of their VMs; empty while none said so."""
        said = [self.session.get(f"{self.set_path(name)}/instanceView") or {} for name in names]
        return failures(status for one in said for status in one.get("statuses", []))

    def console(self, key: str) -> str:
        """What a VM printed to its serial console; empty where there is no log yet."""
        link = self.session.post(f"{self.paths[key]}/retrieveBootDiagnosticsData") or {}
        return (
            self.session.text(link["serialConsoleLogBlobUri"]) if link.get("serialConsoleLogBlobUri") else ""
        )

    def status(
        self,
        names: list[str],
        size: int,
        known: Mapping[str, list[str]],
        given: Mapping[str, str],
        *,
        wait: bool,
    ) -> PoolStatus:
        """What became of a pool; arguments as in ``cloud.pool_wait``. Raises ProviderError where Azure does not answer."""
        return pool_wait.status(
            size,
            lambda: self.members(names),
            lambda: self.reasons(names),
            self.console,
            known,
            given,
            wait=wait,
        )

    def host(
        self, name: str, known: Mapping[str, list[str]], given: Mapping[str, str], *, wait: bool
    ) -> PoolStatus:
        """The same for the controller or the gate, which the program has made before."""
        return pool_wait.status(
            1,
            lambda: self.single(name),
            lambda: [f"{name} is not running"],
            self.console,
            known,
            given,
            wait=wait,
        )


def addresses(cards: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Index of a VM in its set → private address, from the set's cards."""
    found: dict[str, str] = {}
    for card in cards:
        about = card["properties"]
        machine = (about.get("virtualMachine") or {}).get("id", "").rsplit("/", 1)[-1]
        for one in about.get("ipConfigurations", []):
            if machine and about.get("primary", True) and one["properties"].get("privateIPAddress"):
                found.setdefault(machine, one["properties"]["privateIPAddress"])
    return found


def failures(statuses: Iterable[Mapping[str, Any]]) -> list[str]:
    """Errors of an instance view, each once: ``AllocationFailed: …``."""
    found = [
        f"{one.get('code', '').rsplit('/', 1)[-1]}: {one.get('message', one.get('displayStatus', ''))}"
        for one in statuses
        if one.get("level") == "Error"
    ]
    return list(dict.fromkeys(found))[:SHOWN_REASONS]
