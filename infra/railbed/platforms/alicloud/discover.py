"""Members of pools as the provider lists them; of Lingjun nodes the host keys are asked of their own controller."""

from __future__ import annotations

import base64
import time

from railbed.defaults import CONSOLE_CAPTURE_TIMEOUT_S, CONSOLE_POLL_S
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.ecs import discover as shared
from railbed.platforms.ecs.discover import decoded

USING = "Using"
"""Lingjun: the node is in its cluster, with an operating system."""
SHOW_KEY = (
    "echo '-----BEGIN SSH HOST KEY KEYS-----'; cat /etc/ssh/ssh_host_ed25519_key.pub; "
    "echo '-----END SSH HOST KEY KEYS-----'"
)
"""What a node is asked for; the form is that of cloud-init's boot message."""


class PoolReader(shared.PoolReader[Session]):
    """The same, and Lingjun's node groups."""

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
            decoded(node.output or "") for one in found for node in one.invoke_nodes.invoke_node or []
        )
