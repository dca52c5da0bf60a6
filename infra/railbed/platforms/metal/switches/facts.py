"""The values that the configurations set, each with its public source (``facts.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from railbed.catalog.facts import Facts, Published
from railbed.catalog.loader import read_entry

FILE = Path(__file__).with_name("facts.yaml")


class Setting(Facts):
    """One key of UFM's gv.cfg."""

    section: str
    key: str
    value: str


class SwitchFacts(Published):
    """What is set on switches and subnet managers."""

    mtu_bytes: int = Field(ge=1280)
    description_characters: int
    roce_priority: int = Field(ge=0, le=7)
    """PFC priority, traffic class and queue of RoCE data."""
    cnp_priority: int = Field(ge=0, le=7)
    """Of congestion notification packets."""
    roce_dscp: int = Field(ge=0, le=63)
    cnp_dscp: int = Field(ge=0, le=63)
    ecn_min_bytes: int
    ecn_max_bytes: int
    ecn_probability_percent: int
    scheduler_weight_percent: int
    asn_first: int
    asn_last: int
    nvue_release: str
    """Cumulus Linux release whose configuration language is written."""
    nvue_adaptive_gbps: list[int]
    """Port rates with adaptive routing."""
    sonic_routing_mode: str
    sonic_adaptive_model: str
    """Revision of the ARS YANG model; older SONiC has no such tables."""
    sonic_pfc_to_group_vendors: list[str]
    sonic_fec: str
    sonic_lanes_per_port: int
    """Lanes of a cage where the switch is not known."""
    lanes_sn5000: dict[str, int]
    """Catalogue key → lanes of a cage."""
    lanes_sn4600c: dict[str, int]
    lanes_s9321: dict[str, int]
    opensm_engines: dict[str, str]
    """Tiers → routing engine of OpenSM, the next one where the first does not fit."""
    nvidia_engine: str
    """Routing engine of NVIDIA's subnet manager, with adaptive routing."""
    sharp_enable: int
    sharp_disable: int
    sharp_virtual_lanes: int
    partition_line_characters: int
    ufm_sharp: Setting
    ufm_pkeys_path: str
    ufm_default_membership: Setting

    def lanes(self, switch: str) -> int | None:
        """Lanes of a cage of this switch; None where it is not known."""
        return {**self.lanes_sn5000, **self.lanes_sn4600c, **self.lanes_s9321}.get(switch)


@cache
def facts() -> SwitchFacts:
    """The facts. Raises CatalogError for a file that does not hold."""
    return read_entry(FILE, FILE.name, "switches", SwitchFacts)
