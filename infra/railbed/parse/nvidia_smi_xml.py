"""Reads `nvidia-smi -q -x`: what decides about a GPU's health by name, and every other value by its place.

Never raises on any text. A document with entities, attribute defaults or namespaces of its own is not read: no nvidia-smi
writes one, and each can make a short text long.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from railbed.parse.lines import bounded
from railbed.parse.numbers import finite, number

START = re.compile(r"<\?xml|<nvidia_smi_log")
ACTIVE = re.compile(r"clocks_(?:event|throttle)_reason_(\w+)$")
UNKNOWN = (
    "",
    "N/A",
    "[N/A]",
    "Unknown Error",
    "[Unknown Error]",
    "GPU is lost",
    "Requested functionality has been deprecated",
)
NAMED = {
    "product_name": "name", "uuid": "uuid", "serial": "serial", "minor_number": "minor_number", "vbios_version": "vbios",
    "persistence_mode": "persistence_mode", "mig_mode/current_mig": "mig", "pci/pci_bus_id": "bus_id",
    "pci/pci_gpu_link_info/pcie_gen/current_link_gen": "pcie_gen", "pci/pci_gpu_link_info/pcie_gen/max_link_gen": "pcie_gen_max",
    "pci/pci_gpu_link_info/link_widths/current_link_width": "pcie_width",
    "pci/pci_gpu_link_info/link_widths/max_link_width": "pcie_width_max", "pci/replay_counter": "pcie_replays",
    "fb_memory_usage/total": "memory_total_mib", "fb_memory_usage/used": "memory_used_mib",
    "temperature/gpu_temp": "temperature_c", "temperature/memory_temp": "memory_temperature_c",
    "gpu_power_readings/power_draw": "power_w", "power_readings/power_draw": "power_w",
    "gpu_power_readings/instant_power_draw": "power_w", "gpu_power_readings/current_power_limit": "power_limit_w",
    "power_readings/power_limit": "power_limit_w", "clocks/sm_clock": "sm_clock_mhz", "max_clocks/sm_clock": "sm_clock_max_mhz",
    "ecc_mode/current_ecc": "ecc", "ecc_errors/volatile/sram_correctable": "sram_correctable",
    "ecc_errors/volatile/dram_correctable": "dram_correctable", "ecc_errors/volatile/dram_uncorrectable": "dram_uncorrectable",
    "remapped_rows/remapped_row_corr": "remapped_correctable", "remapped_rows/remapped_row_unc": "remapped_uncorrectable",
    "remapped_rows/remapped_row_pending": "remap_pending", "remapped_rows/remapped_row_failure": "remap_failure",
    "fabric/state": "fabric_state", "fabric/status": "fabric_status", "gpu_recovery_action": "recovery_action",
}  # fmt: skip
UNITS = re.compile(r"^(\S+) (?:MiB|W|C|MHz|%|KB/s|bank\(s\)|ms|us)$")
WIDTH = re.compile(r"^(\d+)x$")
WORDS = ("name", "uuid", "serial", "bus_id", "vbios", "minor_number")
"""Values that stay text whatever they look like."""
SRAM = ("sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded")
END = "</nvidia_smi_log>"
MAX_BYTES = 32 * 1024 * 1024
REFUSED = ("<!ENTITY", "<!ATTLIST", "xmlns")
MAX_DEPTH = 16
"""The deepest value of nvidia-smi has 7 elements around it."""
MAX_NAME = 100
"""Characters of an element's name; the longest of nvidia-smi has 46."""


def _value(text: str) -> Any:
    """A number without its unit, True or False for Yes and No, text, or None where nvidia-smi did not know."""
    if text in UNKNOWN:
        return None
    if text in ("Yes", "No"):
        return text == "Yes"
    match = UNITS.match(text) or WIDTH.match(text)
    found = number(match.group(1) if match else text)
    if found is None or not finite(found):
        return text
    return int(found) if found == int(found) and "." not in text else found


def _leaves(element: ElementTree.Element) -> dict[str, str]:
    """``a/b/c`` → text of every element without children, the first of each name. What is too deep is left out."""
    found: dict[str, str] = {}
    open_elements: list[tuple[int, str, ElementTree.Element]] = [(0, "", element)]
    while open_elements:
        depth, place, current = open_elements.pop()
        if depth < MAX_DEPTH:
            children = [child for child in current if len(child.tag) <= MAX_NAME]
            open_elements += [(depth + 1, f"{place}{child.tag}/", child) for child in reversed(children)]
        if not len(current) and place:
            found.setdefault(place.rstrip("/"), (current.text or "").strip())
    return found


def _gpu(element: ElementTree.Element) -> dict[str, Any]:
    leaves = _leaves(element)
    gpu: dict[str, Any] = {"id": element.get("id", "")}
    for place, name in NAMED.items():
        if place in leaves and gpu.get(name) is None:
            text = leaves[place]
            gpu[name] = (None if text in UNKNOWN else text) if name in WORDS else _value(text)
    sram = [
        _value(leaves[f"ecc_errors/volatile/{name}"])
        for name in SRAM
        if f"ecc_errors/volatile/{name}" in leaves
    ]
    counted = [v for v in sram if isinstance(v, int) and not isinstance(v, bool)]
    gpu["sram_uncorrectable"] = sum(counted) if counted else None
    reasons = [(ACTIVE.search(place), text) for place, text in leaves.items()]
    gpu["throttle_reasons"] = sorted(match.group(1) for match, text in reasons if match and text == "Active")
    gpu["processes"] = len(element.findall("processes/process_info"))
    gpu["facts"] = {
        place: text for place, text in leaves.items() if place not in NAMED and text not in UNKNOWN
    }
    return gpu


def _root(body: str) -> tuple[ElementTree.Element | None, bool]:
    """(the document, whether it was cut short): of one without an end the GPUs that are whole. None where it is none."""
    if not body or len(body) > MAX_BYTES or any(word in body for word in REFUSED):
        return None, bool(body)
    end, last_gpu = body.rfind(END), body.rfind("</gpu>")
    cut = end < 0
    whole = (
        body[: end + len(END)]
        if not cut
        else body[: last_gpu + len("</gpu>")] + END
        if last_gpu >= 0
        else body
    )
    try:
        # The parser is given the encoding: the document's own word for it could hide what is refused above.
        parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314 - no entities, see above
        return ElementTree.fromstring(whole.encode("utf-8", "replace"), parser=parser), cut  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError):
        return None, True


def plain(text: str) -> dict[str, Any]:
    """The report as JSON data: MiB, W, °C, MHz. ``facts`` holds every value that has no name of its own here."""
    start = START.search(text)
    body = text[start.start() :] if start else ""
    root, cut = _root(body)
    if root is None or root.tag != "nvidia_smi_log":
        lines = bounded(line for line in text.splitlines() if line.strip())
        return {
            "driver": None,
            "cuda": None,
            "attached": None,
            "gpus": [],
            "truncated": bool(body),
            "unread": lines,
        }
    before = [line for line in text[: start.start() if start else 0].splitlines() if line.strip()]
    return {
        "driver": root.findtext("driver_version"),
        "cuda": root.findtext("cuda_version"),
        "attached": _value((root.findtext("attached_gpus") or "").strip()),
        "gpus": [_gpu(element) for element in root.findall("gpu")],
        "truncated": cut,
        "unread": bounded(before),
    }
