"""Names of everything that a lab puts on the machine: they carry the lab's id, so that labs never meet."""

from __future__ import annotations

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


def rail_port(lab_id: str, octet: int, rail: int) -> str:
    """Switch-side interface of one rail of a host."""
    return f"{lab_id}-{octet}r{rail}"


def rail_switch(rail: int) -> str:
    return f"leaf{rail}"


MANAGEMENT_SWITCH = "mgmt"
