"""Names of everything that a lab puts on the machine: they carry the lab's id, so that labs never meet."""

from __future__ import annotations

from railbed.plan.hosts import leaf_port

MARK = "rb"
FABRIC = "fab"
CONTROL = "ctl"


def namespace(lab_id: str, host: str) -> str:
    """Network namespace (and machine and cgroup) name of a host."""
    return f"{MARK}-{lab_id}-{host}"


def namespace_prefix(lab_id: str) -> str:
    return f"{MARK}-{lab_id}-"


def fabric_namespace(lab_id: str) -> str:
    """Holds all switches of the lab. Underscored so that no host name can be the same."""
    return f"{MARK}-{lab_id}-_{FABRIC}"


def control_namespace(lab_id: str) -> str:
    """Where railbed itself stands on the lab's management network."""
    return f"{MARK}-{lab_id}-_{CONTROL}"


def serial(lab_id: str, host: str) -> str:
    """Serial number of a virtual machine: the same for as long as the lab has a host of this name."""
    return f"{lab_id}-{host}".upper()


def management_port(lab_id: str, octet: int) -> str:
    """Switch-side interface of a host's management link."""
    return f"{lab_id}-{octet}m"


def rail_port(octet: int, rail: int) -> str:
    """Switch-side interface of one rail of a host, with the planned number of the port. All leaves are in one namespace."""
    return f"Eth{rail}-{leaf_port(octet)}"


def rail_ports(rail: int) -> str:
    """Matches the ports of a rail's leaf."""
    return f"Eth{rail}-*"


def rail_switch(rail: int) -> str:
    return f"leaf{rail}"


def rail_of(switch: str) -> int:
    """The rail of a leaf; the counterpart of ``rail_switch``."""
    return int(switch.removeprefix("leaf"))


def switch_group(lab_id: str, rail: int) -> str:
    """Cgroup of what runs on a rail's leaf. Underscored as the namespaces are."""
    return f"{MARK}-{lab_id}-_{rail_switch(rail)}"


MANAGEMENT_SWITCH = "mgmt"
