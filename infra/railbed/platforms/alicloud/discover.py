"""Members of pools as the provider lists them, their addresses, and their host keys over its own channel."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from railbed.defaults import CONSOLE_CAPTURE_TIMEOUT_S, CONSOLE_POLL_S
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.members import Member, PoolStatus, share

PAGE = 50
"""Members of a scaling group in one answer."""
INSTANCES = 100
"""Most instance ids of one DescribeInstances."""
THERE = "InService"
GOING_ON, GOOD = ("InProgress",), ("Successful",)
USING = "Using"
"""Lingjun: the node is in its cluster, with an operating system."""
SHOW_KEY = (
    "echo '-----BEGIN SSH HOST KEY KEYS-----'; cat /etc/ssh/ssh_host_ed25519_key.pub; "
    "echo '-----END SSH HOST KEY KEYS-----'"
)
"""What a node is asked for; the form is that of cloud-init's boot message."""


class Look:
    """One cluster's look-ups: what the last contract knew goes into them, and whether they may wait."""

    def __init__(
        self, session: Session, known: Mapping[str, list[str]], given: Mapping[str, str], *, wait: bool
    ) -> None:
        self.session = session
        self.known = known
        self.given = given
        self.wait = wait

    def pool(self, groups: list[str], size: int) -> PoolStatus:
        """The members of a pool's scaling groups; fewer than ``size`` with the reasons of the last scaling activities."""
        return pool_wait.status(
            size, lambda: self._members(groups), lambda: self._reasons(groups), self.console, self.known, self.given,
            wait=self.wait,
        )  # fmt: skip

    def lingjun(self, cluster: str, group: str, size: int, bought: int) -> PoolStatus:
        """The members of a node group. There are never more than were bought: the rest is missing until more are."""

        states: dict[str, str] = {}

        def listed() -> list[Member]:
            nodes = capacity.cluster_nodes(self.session, cluster, group)
            states.update({node.node_id: node.operating_state for node in nodes})
            return [
                Member(id=node.node_id, address=node.networks[0].ip, created=node.create_time or "")
                for node in nodes
                if node.operating_state == USING and node.networks
            ]

        status = pool_wait.status(
            bought, listed, lambda: [], self.by_command, self.known, self.given, wait=self.wait
        )
        missing = size - bought
        reasons = [f"{missing} more nodes must be bought in the HPN zone"] if missing > 0 else []
        reasons += [f"{node} is {state}" for node, state in sorted(states.items()) if state != USING]
        return PoolStatus(members=status.members, reasons=reasons)

    def one(self, instance: str) -> PoolStatus:
        """A single instance: the controller or the gate."""
        members = list(self._instances([instance]))
        return PoolStatus(
            members=pool_wait.with_keys(members, self.console, self.known, self.given, wait=self.wait)
        )

    def console(self, instance: str) -> str:
        """What the instance printed so far; empty where the provider does not say (yet)."""
        try:
            text = self.session.ecs("get_instance_console_output", instance_id=instance).console_output or ""
        except ProviderError:
            return ""
        return _decoded(text)

    def by_command(self, node: str) -> str:
        """A Lingjun node's host key, printed by a command that its controller runs; empty where it did not (yet)."""
        try:
            command = base64.b64encode(SHOW_KEY.encode()).decode()
            started = self.session.eflo(
                "run_command", command_content=command, content_encoding="Base64", node_id_list=[node],
                timeout=int(CONSOLE_CAPTURE_TIMEOUT_S),
            )  # fmt: skip
            end = time.monotonic() + CONSOLE_CAPTURE_TIMEOUT_S
            while True:
                text = self._output(started.invoke_id)
                if text or time.monotonic() + CONSOLE_POLL_S > end:
                    return text
                time.sleep(CONSOLE_POLL_S)
        except ProviderError:
            return ""

    def _output(self, invocation: str) -> str:
        answer = self.session.eflo(
            "describe_invocations", invoke_id=invocation, include_output=True, content_encoding="Base64"
        )
        found = answer.invocations.invocation or []
        return "".join(
            _decoded(node.output or "") for one in found for node in one.invoke_nodes.invoke_node or []
        )

    def _members(self, groups: list[str]) -> list[Member]:
        places = {
            one.instance_id: share(index, capacity.GROUP_LIMIT)
            for index, group in enumerate(groups)
            for one in listed(self.session, group)
            if one.lifecycle_state == THERE
        }
        ids = list(places)
        return [
            one.model_copy(update={"places": places[one.id]})
            for start in range(0, len(ids), INSTANCES)
            for one in self._instances(ids[start : start + INSTANCES])
        ]

    def _instances(self, ids: list[str]) -> Iterator[Member]:
        answer = self.session.ecs("describe_instances", instance_ids=json.dumps(ids), page_size=INSTANCES)
        for one in answer.instances.instance or []:
            yield Member(
                id=one.instance_id,
                address=(one.vpc_attributes.private_ip_address.ip_address or [""])[0],
                created=one.creation_time or "",
            )

    def _reasons(self, groups: list[str]) -> list[str]:
        """Why the latest activity of each group ended badly; [] while any goes on."""
        latest = [one for one in (newest(self.session, group) for group in groups) if one is not None]
        if any(one.status_code in GOING_ON for one in latest):
            return []
        return [
            f"{one.scaling_group_id}: {one.error_message or one.status_message or one.status_code}"
            for one in latest
            if one.status_code not in GOOD
        ]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except binascii.Error:
        return ""


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
    return max(answer.scaling_activities or [], key=lambda one: one.start_time or "", default=None)


def going_on(session: Session, group: str) -> bool:
    """Whether a group is being changed."""
    activity = newest(session, group)
    return activity is not None and activity.status_code in GOING_ON
