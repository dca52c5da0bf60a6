"""Members of pools as the scaling groups list them, their addresses, and their host keys from the console."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.members import Member, PoolStatus, share
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.session import Session

PAGE = 50
"""Members of a scaling group in one answer."""
INSTANCES = 100
"""Most instance ids of one DescribeInstances."""
THERE = "InService"
GOING_ON = ("Init", "Running")
"""States of a scaling activity that may still bring nodes."""
GOOD = "Success"
PRIMARY = "primary"


class Look:
    """One cluster's look-ups: what the last contract knew goes into them, and whether they may wait."""

    def __init__(
        self, region: str, known: Mapping[str, list[str]], given: Mapping[str, str], *, wait: bool
    ) -> None:
        self.session = Session(region)
        self.known = known
        self.given = given
        self.wait = wait

    def pool(self, groups: list[str], size: int) -> PoolStatus:
        """The members of a pool's scaling groups; fewer than ``size`` with the reasons of the last scaling activities."""
        return pool_wait.status(
            size, lambda: self._members(groups), lambda: self._reasons(groups), self.console, self.known, self.given,
            wait=self.wait,
        )  # fmt: skip

    def one(self, instance: str) -> PoolStatus:
        """A single instance: the controller or the gate."""
        members = list(self._instances([instance]))
        return PoolStatus(
            members=pool_wait.with_keys(members, self.console, self.known, self.given, wait=self.wait)
        )

    def console(self, instance: str) -> str:
        """What the instance printed so far; empty where the provider does not say (yet)."""
        try:
            text = self.session.ecs("get_console_output", instance_id=instance).output or ""
            return base64.b64decode(text, validate=True).decode(errors="replace")
        except (ProviderError, binascii.Error):
            return ""

    def _members(self, groups: list[str]) -> list[Member]:
        places = {
            one.instance_id: share(index, capacity.GROUP_LIMIT)
            for index, group in enumerate(groups)
            for one in listed(self.session, group)
            if one.status == THERE
        }
        ids = list(places)
        return [
            one.model_copy(update={"places": places[one.id]})
            for start in range(0, len(ids), INSTANCES)
            for one in self._instances(ids[start : start + INSTANCES])
        ]

    def _instances(self, ids: list[str]) -> Iterator[Member]:
        answer = self.session.ecs("describe_instances", instance_ids=ids, max_results=INSTANCES)
        for one in answer.instances or []:
            yield Member(id=one.instance_id, address=_address(one), created=one.created_at or "")

    def _reasons(self, groups: list[str]) -> list[str]:
        """Why the latest activity of each group ended badly; [] while any goes on."""
        latest = [one for one in (newest(self.session, group) for group in groups) if one is not None]
        if any(one.status_code in GOING_ON for one in latest):
            return []
        return [
            f"{one.scaling_group_id}: {one.result_msg or one.status_code}"
            for one in latest
            if one.status_code != GOOD
        ]


def _address(instance: Any) -> str:
    """The primary private address."""
    cards = instance.network_interfaces or []
    primary = [card for card in cards if (card.type or "").lower() == PRIMARY] or cards
    return str(primary[0].primary_ip_address) if primary else ""


def listed(session: Session, group: str) -> Iterator[Any]:
    """What a scaling group holds, whatever its state."""
    page, seen = 1, 0
    while True:
        answer = session.groups(
            "describe_scaling_instances", scaling_group_id=group, page_number=page, page_size=PAGE
        )
        found = answer.scaling_instances or []
        yield from found
        seen, page = seen + len(found), page + 1
        if not found or seen >= (answer.total_count or 0):
            return


def newest(session: Session, group: str) -> Any:
    """A group's newest scaling activity; None before the first."""
    answer = session.groups(
        "describe_scaling_activities", scaling_group_id=group, page_number=1, page_size=PAGE
    )
    return max(answer.scaling_activities or [], key=lambda one: one.created_at or "", default=None)


def going_on(session: Session, group: str) -> bool:
    """Whether a group is being changed."""
    activity = newest(session, group)
    return activity is not None and activity.status_code in GOING_ON
