"""Members of a pool's groups and their host keys: one list for each group, one for the cluster, then one question a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.members import Member, PoolStatus, share
from railbed.platforms.gcp.session import Session

HOST_KEYS = "hostkeys/"
"""Namespace of guest attributes in which cloud-init puts a node's host keys (cloud-init, datasource GCE)."""
THERE = ("PROVISIONING", "STAGING", "RUNNING")
LEAVING = ("DELETING", "ABANDONING")
BUSY = ("CREATING", "CREATING_WITHOUT_RETRIES", "RECREATING", "VERIFYING")
SHOWN_REASONS = 3


class PoolReader:
    """One run's look at a cluster: instances by id, as the provider lists them."""

    def __init__(self, session: Session, zone: str, labels: Mapping[str, str]) -> None:
        self.session = session
        self.zone = zone
        self.filter = " AND ".join(f"labels.{key}={value}" for key, value in sorted(labels.items()))
        self.names: dict[str, str] = {}
        """Instance id → name, for the calls that take no id."""

    def instances(self) -> dict[str, dict[str, Any]]:
        """All of the cluster's instances by id."""
        listed = self.session.pages(f"zones/{self.zone}/instances", "items", filter=self.filter)
        found = {one["id"]: one for one in listed}
        self.names |= {key: one["name"] for key, one in found.items()}
        return found

    def members(self, groups: Iterable[str], limit: int = 0) -> list[Member]:
        """Those that the pool's groups name as theirs and that are there, or about to be. ``limit``: of a group; 0: none."""
        ours = self.instances()
        return [
            member(ours[one["id"]], share(index, limit) if limit else None)
            for index, group in enumerate(groups)
            for one in self.managed(group)
            if one.get("currentAction") not in LEAVING
            and one.get("id") in ours
            and ours[one["id"]]["status"] in THERE
        ]

    def reasons(self, groups: Iterable[str]) -> list[str]:
        """Why groups did not get all of their instances; empty while none said so."""
        return failures([one for group in groups for one in self.managed(group)])

    def single(self, name: str) -> list[Member]:
        """The instance ``name`` of the cluster: the controller."""
        return [
            member(one) for one in self.instances().values() if one["name"] == name and one["status"] in THERE
        ]

    def console(self, key: str) -> str:
        """What stands for an instance's console: its host keys, in cloud-init's own frame; empty while there are none."""
        path = f"zones/{self.zone}/instances/{self.names[key]}/getGuestAttributes"
        return framed(self.session.get(path, queryPath=HOST_KEYS) or {})

    def managed(self, group: str) -> list[dict[str, Any]]:
        """What a group holds, with what it is doing to each."""
        path = f"zones/{self.zone}/instanceGroupManagers/{group}/listManagedInstances"
        return list(self.session.pages(path, "managedInstances", method="POST"))

    def status(
        self,
        groups: list[str],
        size: int,
        known: Mapping[str, list[str]],
        given: Mapping[str, str],
        *,
        wait: bool,
        limit: int = 0,
    ) -> PoolStatus:
        """What became of a pool; arguments as in ``cloud.pool_wait``. Raises ProviderError where Google does not answer."""
        return pool_wait.status(
            size,
            lambda: self.members(groups, limit),
            lambda: self.reasons(groups),
            self.console,
            known,
            given,
            wait=wait,
        )

    def controller(
        self, name: str, known: Mapping[str, list[str]], given: Mapping[str, str], *, wait: bool
    ) -> PoolStatus:
        """The same for the controller, which the program has made before."""
        return pool_wait.status(
            1,
            lambda: self.single(name),
            lambda: [f"{name} is not running"],
            self.console,
            known,
            given,
            wait=wait,
        )


def member(instance: Mapping[str, Any], places: tuple[int, int] | None = None) -> Member:
    """One instance; its address is the first card's, a front end."""
    cards = instance.get("networkInterfaces") or [{}]
    return Member(
        id=instance["id"],
        address=cards[0].get("networkIP", ""),
        created=instance.get("creationTimestamp", ""),
        block=_block(instance.get("resourceStatus", {}).get("physicalHostTopology", {})),
        places=places,
    )


def _block(topology: Mapping[str, Any]) -> str:
    """Cluster, block and sub-block of the host that an instance runs on; empty where one of them is unknown.

    Fields of `ResourceStatusPhysicalHostTopology` (Compute Engine API v1, revision 20261106).
    """
    parts = [str(topology.get(part) or "") for part in ("cluster", "block", "subblock")]
    return "/".join(parts) if all(parts) else ""


def failures(managed: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the last attempts at missing instances ended in, each once."""
    found = [
        f"{error.get('code', '')}: {error.get('message', '')}"
        for one in managed
        if one.get("currentAction") in BUSY
        for error in one.get("lastAttempt", {}).get("errors", {}).get("errors", [])
    ]
    return list(dict.fromkeys(found))[:SHOWN_REASONS]


def framed(attributes: Mapping[str, Any]) -> str:
    """Guest attributes ``hostkeys/<kind> = <key>`` as the block that cloud-init prints to a console; empty without any."""
    items = attributes.get("queryValue", {}).get("items", [])
    lines = [f"{one['key']} {one['value']}" for one in items if one.get("namespace") == HOST_KEYS.strip("/")]
    if not lines:
        return ""
    return "\n".join(("-----BEGIN SSH HOST KEY KEYS-----", *lines, "-----END SSH HOST KEY KEYS-----"))
