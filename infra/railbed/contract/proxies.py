"""How SSH gets to a node that it does not reach directly: a closed set of forms, of values only.

A contract comes from the engine's state and from backups. It chooses a form; the command of that form is railbed's own
(`railbed.effects.proxy_command`), and so are the key and the files that it uses.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import scalars


class Netns(FrozenModel):
    """From a network namespace of this machine."""

    kind: Literal["netns"] = "netns"
    namespace: scalars.Word


class Jump(FrozenModel):
    """Through a host that the provider's gateway forwards SSH to. Its host key comes along."""

    kind: Literal["jump"] = "jump"
    host: scalars.Host
    port: int = Field(default=22, ge=1, le=65_535)
    user: scalars.Login
    host_key: scalars.PublicKey


class Through(FrozenModel):
    """Through another node of the contract."""

    kind: Literal["node"] = "node"
    node: scalars.Name


class Ssm(FrozenModel):
    """Through AWS Session Manager."""

    kind: Literal["ssm"] = "ssm"
    region: scalars.Word
    instance: scalars.Word


class Iap(FrozenModel):
    """Through Google's Identity-Aware Proxy."""

    kind: Literal["iap"] = "iap"
    project: scalars.Word
    zone: scalars.Word
    instance: scalars.Word


class OciBastion(FrozenModel):
    """Through a session of Oracle's Bastion service."""

    kind: Literal["oci_bastion"] = "oci_bastion"
    bastion: scalars.Word
    region: scalars.Word


Proxy = Annotated[Netns | Jump | Through | Ssm | Iap | OciBastion, Field(discriminator="kind")]
