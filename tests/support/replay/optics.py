"""The ports of a replayed node as mstlink's JSON, or ethtool's text, has them: built of the card's facts.

The forms are those of ``tests/unit/data/parse/mlxlink``, ``ethtool_module`` and ``ethtool_statistics``; of InfiniBand and its
error correction those of a public output of MFT 4.35 (400 Gb/s), of Ethernet those of a 400GBASE-DR4 port. Limits are as in a
module's own memory; built.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from railbed.validate.optics import LINK, MODULE, NOTHING, STATISTICS

if TYPE_CHECKING:
    from tests.support.replay.node import Machine

PORT = {
    "light": [1.05, 0.98, 1.12, 1.01],
    "copper": False,
    "raw_ber": "3E-9",
    "errors": [0, 0],
}
"""A healthy port: receive power of its lanes in dBm, and counters before and after the load."""
LOW, HIGH, LOW_WARNING, HIGH_WARNING = -8.0, 6.0, -6.0, 4.0
"""Limits of the receive power in dBm."""
CALL = re.compile(r'^ask (\S+) (\S+) > "\$folder/', re.M)
GONE = '-E- Failed to open device: "{}", No such file or directory\n'
FEC = {
    "hgx": ("IB-NDR", "Ethernet_Consortium_LL_50G_RS_FEC_PLR -(272,257+1)"),
    "roce": ("400G", "Interleaved_Standard_RS-FEC - (544,514)"),
}


def asked(line: str) -> bool:
    """Whether a command line is the one that reads ports."""
    return CALL.search(line) is not None


def printed(machine: Machine, line: str, reading: int) -> str:
    """What the script prints at its first reading (0) or its second one (1)."""
    parts = []
    for device, quoted in CALL.findall(line):
        card, netdev = machine.facts["cards"][device], quoted.strip("'")
        if machine.facts["link_tool"]:
            parts.append(f"=== {device} {LINK}\n{_link(machine, device, card, reading)}\n")
        elif netdev:
            parts.append(
                f"=== {device} {MODULE}\n{_module(card)}\n=== {device} {STATISTICS}\n{_statistics(card, reading)}\n"
            )
        else:
            parts.append(f"=== {device} {NOTHING}\n\n")
    return "".join(parts)


def _link(machine: Machine, device: str, card: dict[str, Any], reading: int) -> str:
    if not card["there"]:
        return GONE.format(device)
    port, up = card["port"], card["state"].startswith("4:") or card["state"].startswith("2:")
    speed, fec = FEC[machine.cluster]
    light = ",".join(f"{one:g}" for one in port["light"])
    module = {
        "Identifier": "OSFP", "Cable Technology": "Other / Undefined", "Cable Type": "Optical Module (separated)",
        "Temperature [C]": "48 [-5..75]", "Voltage [mV]": "3273.6 [2970..3630]", "Bias Current [mA]": "7.5,7.5,7.6,7.4 [3..12]",
        "Rx Power Current [dBm]": f"{light} [{LOW:g}..{HIGH:g}]", "Tx Power Current [dBm]": "2.1,2,2.2,2.1 [-6..6]",
    }  # fmt: skip
    if port["copper"]:
        module = {
            "Identifier": "OSFP", "Cable Technology": "Copper cable, passive, unequalized", "Cable Type": "Passive copper cable",
            "Rx Power Current [dBm]": "0,0,0,0 [0..0]",
        }  # fmt: skip
    counters: dict[str, Any] = {
        "Time Since Last Clear [Min]": "25074.8", "Effective Physical Errors": str(port["errors"][reading]) if up else "N/A",
        "Raw Physical BER": port["raw_ber"] if up else "N/A",
    }  # fmt: skip
    state = {
        "State": "Active" if up else "Polling", "Physical state": "LinkUp" if up else "ETH_AN_FSM_AN_ENABLE",
        "Speed": speed if up else "N/A", "Width": "4x" if up else "N/A", "FEC": fec if up else "N/A",
    }  # fmt: skip
    sections = {"Operational Info": state, "Module Info": module, "Physical Counters and BER Info": counters}
    return json.dumps({"result": {"output": sections}, "status": {"code": 0, "message": "success"}})


def _module(card: dict[str, Any]) -> str:
    if not card["there"]:
        return "netlink error: No such device\n"
    port = card["port"]
    rows = {"Identifier": "0x19 (OSFP 8X Pluggable Transceiver)", "Vendor name": "NVIDIA"}
    if port["copper"]:
        rows["Transmitter technology"] = "0x0a (Copper cable unequalized)"
    else:
        for lane, dbm in enumerate(port["light"], start=1):
            rows[f"Rcvr signal avg optical power (Channel {lane})"] = f"1.0000 mW / {dbm:.2f} dBm"
        for side, level, dbm in (
            ("high", "alarm", HIGH), ("low", "alarm", LOW), ("high", "warning", HIGH_WARNING), ("low", "warning", LOW_WARNING),
        ):  # fmt: skip
            rows[f"Laser rx power {side} {level} threshold"] = f"1.0000 mW / {dbm:.2f} dBm"
    return "".join(f"\t{name:<42}: {value}\n" for name, value in rows.items())


def _statistics(card: dict[str, Any], reading: int) -> str:
    if not card["there"]:
        return "no stats available\n"
    port = card["port"]
    return f"NIC statistics:\n     rx_pcs_symbol_err_phy: {port['errors'][reading]}\n"
