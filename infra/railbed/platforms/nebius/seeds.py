"""Host keys that are made here, one for each instance, and put into its boot script: the provider's API shows no console.

A key is of the instance's name and stays in the stack's own folder (0600), so a run that was killed finds it again. The
engine keeps the boot script encrypted. Another operator's checkout has none of them: there the last contract's keys count.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from railbed import contract
from railbed.effects.bmc import hostkey
from railbed.effects.secrets import public_key
from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import boot
from railbed.platforms.nebius.fabric import BASTION

FOLDER = "host-keys"


class Seeds:
    """Boot scripts of a stack's instances, each with a host key of its own, and those keys' public halves."""

    def __init__(self, plan: ClusterPlan, work: Workspace) -> None:
        self.plan, self.work = plan, work

    def script(self, name: str) -> pulumi.Output[str]:
        """``#cloud-config`` text of one instance; a secret, since it holds the private half."""
        operator = public_key(self.work.operator_key)
        pair = hostkey.ensure(self.work.dir / FOLDER, name)
        text = (
            boot.gate_data(self.plan, operator, pair) if name == BASTION else boot.user_data(operator, pair)
        )
        return pulumi.Output.secret(text)

    def public(self, name: str) -> str:
        """``ssh-ed25519 AAAA…`` of one instance."""
        return hostkey.ensure(self.work.dir / FOLDER, name)[1]


def of_bastion(proxies: Sequence[contract.Proxy | None], address: str) -> str:
    """The key of the bastion at ``address``, by the ways to the last contract's nodes; empty where none goes there."""
    return next(
        (way.host_key for way in proxies if isinstance(way, contract.Jump) and way.host == address), ""
    )
