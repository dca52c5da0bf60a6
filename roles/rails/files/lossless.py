#!/usr/bin/python3
"""Gives RoCE on the rails the priority that the leaf switches keep lossless. Standard library only.

usage: lossless.py SETTINGS

SETTINGS is JSON: links (interfaces), priority and dscp of data, cnp_priority and cnp_dscp of congestion notices. For each
interface, through the kernel's own interfaces: both DSCP values have their priority, so that the card sorts by DSCP; the data's
priority alone pauses; connections of the RDMA connection manager are RoCE v2 and marked; the card slows down where switches
mark (DCQCN), and its notices have their DSCP. Exit status 1: one could not be set.

DCQCN is on by the firmware's default (NVIDIA DOCA 3.4, DCQCN CC Parameters: ROCE_CC_PRIO_MASK). NVIDIA's driver has a switch for
each priority (DOCA 2.10, Explicit Congestion Notification: /sys/class/net/<interface>/ecn); the kernel's own has none, only the
notices' DSCP in debugfs (Linux, drivers/infiniband/hw/mlx5/cong.c), which a kernel in lockdown keeps to itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SYS = Path("/sys")
PROGRAM_TIMEOUT_S = 30
ROCE_MODE = "RoCE v2"
PORT = "1"
POINTS = ("roce_np", "roce_rp")
"""Who sends notices, and who slows down on them: every card does both."""


class Refused(Exception):
    """What could not be set."""


def run(*argv: str) -> None:
    """A program that must succeed. Raises Refused with its words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        raise Refused(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")


def write(path: Path, value: str) -> None:
    """A kernel attribute. Raises Refused where the kernel does not take the value."""
    try:
        path.write_text(value)
    except OSError as failed:
        raise Refused(f"{path} does not take {value!r}: {failed.strerror}") from None


def devices(netdev: str, root: Path) -> list[str]:
    """RDMA devices of an interface. Raises Refused where it has none."""
    found = sorted(
        path.parent.parent.parent.name for path in root.glob(f"class/infiniband/*/device/net/{netdev}")
    )
    if not found:
        raise Refused(f"{netdev} has no RDMA device")
    return found


def traffic(netdev: str, want: dict[str, Any]) -> None:
    """The card's classes and pauses. mlx5 sorts by DSCP from the first such entry on."""
    codes = [f"{want['dscp']}:{want['priority']}", f"{want['cnp_dscp']}:{want['cnp_priority']}"]
    run("dcb", "app", "replace", "dev", netdev, "dscp-prio", *codes)
    run("dcb", "pfc", "set", "dev", netdev, "prio-pfc", "all:off", f"{want['priority']}:on")


def connections(netdev: str, want: dict[str, Any], root: Path) -> None:
    """What the connection manager begins with (Documentation/ABI/testing/configfs-rdma_cm of Linux)."""
    for device in devices(netdev, root):
        folder = root / "kernel/config/rdma_cm" / device
        try:
            folder.mkdir(exist_ok=True)
        except OSError as failed:
            raise Refused(f"{folder}: {failed.strerror}") from None
        write(folder / "ports" / PORT / "default_roce_mode", ROCE_MODE)
        # The lower two bits of the field are ECN's.
        write(folder / "ports" / PORT / "default_roce_tos", str(int(want["dscp"]) << 2))


def congestion(netdev: str, want: dict[str, Any], root: Path) -> None:
    """Notification and reaction point for the data's priority, and the notices' DSCP: as far as the driver lets them be set."""
    ecn = root / "class/net" / netdev / "ecn"
    if ecn.is_dir():
        for point in POINTS:
            write(ecn / point / "enable" / str(want["priority"]), "1")
        write(ecn / "roce_np/cnp_dscp", str(want["cnp_dscp"]))
        write(ecn / "roce_np/cnp_802p_prio", str(want["cnp_priority"]))
        return
    for device in devices(netdev, root):
        slot = (root / "class/infiniband" / device / "device").resolve().name
        dscp = root / "kernel/debug/mlx5" / slot / "cc_params/np_cnp_dscp"
        try:
            has = dscp.read_text().strip()
        except OSError:
            continue
        if has != str(want["cnp_dscp"]):
            write(dscp, str(want["cnp_dscp"]))


def main(settings: Path, root: Path) -> int:
    """Every interface is tried; those that failed are named."""
    want = json.loads(settings.read_text())
    failed = []
    for netdev in want["links"]:
        try:
            traffic(netdev, want)
            connections(netdev, want, root)
            congestion(netdev, want, root)
        except Refused as refused:
            failed.append(str(refused))
    print("\n".join(failed), file=sys.stderr, end="\n" if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), SYS))
