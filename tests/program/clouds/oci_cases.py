"""What the tests of Oracle Cloud share: keys, consoles, plans, and a look-up over a fake account."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.program.clouds.oci_fake import Fake
from tests.program.clouds.oci_view import COMPARTMENT
from tests.program.clouds.view import Node

from railbed import plan, spec
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.oci import discover, session
from railbed.platforms.oci.nodes import Group

ROOT = Path(__file__).resolve().parents[3]
TODAY = datetime.date(2026, 12, 2)
RESERVATION = "ocid1.capacityreservation.oc1.iad.exampleh100reservation"


def key(index: int) -> str:
    """A public key in OpenSSH's form: nobody has its private half."""
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + f"{index:043d}"


def console(index: int) -> str:
    """What cloud-init's keys-to-console prints (made by hand)."""
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{key(index)} root@node\n-----END SSH HOST KEY KEYS-----\n"


def made_plan(example: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    change(data)
    return plan.plan(spec.from_config(data, example))


def members(wanted: ClusterPlan) -> dict[str, list[Node]]:
    found, index = {}, 0
    for pool in wanted.pools:
        found[pool.name] = []
        for _ in range(pool.size):
            index += 1
            address = f"10.64.{1 + index // 250}.{1 + index % 250}"
            found[pool.name].append(Node(f"ocid1.instance.oc1..n{index:05d}", address, console(index)))
    if wanted.has_controller:
        found["controller"] = [
            Node(f"ctl{place}-id", f"10.64.0.{10 + place}", console(99_999 - place))
            for place in range(wanted.controllers)
        ]
    return found


def looked_up(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, known: PreviousContract | None = None, **more: Any
) -> Any:
    names = ("identity", "compute", "management", "network", "limits", "lustre", "work", "bastion")
    monkeypatch.setattr(session, "clients", lambda region: session.Clients(**dict.fromkeys(names, fake)))
    monkeypatch.setattr("railbed.platforms.cloud.consoles.CONSOLE_TIMEOUT_S", 0.0)
    groups = {"h100": [Group("cluster_network", "h100-id")]}
    empty = PreviousContract(names={}, host_keys={})
    return discover.statuses("r", COMPARTMENT, "subnet", groups, {"h100": 2}, [], known or empty, {}, **more)[
        "h100"
    ]
