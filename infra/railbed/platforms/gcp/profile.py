"""What a network profile allows, against what the program asks of the network it makes with it.

Names and values are those of `NetworkProfileNetworkFeatures` in the discovery document of Compute Engine v1 (revision
20261106). What a profile does not support is refused with an error
(https://docs.cloud.google.com/vpc/docs/create-vpc-network-rdma), so rails leave out what they do not need.
"""

from __future__ import annotations

from typing import Any

from railbed.platforms.gcp.facts import METAL_PROFILE

RDMA_NIC = "MRDMA"
LISTS = {"subnetworkStackTypes": False, "interfaceTypes": True}
"""Features that list what is supported → whether an absent list means everything (same document)."""


def asked(profile: str) -> dict[str, str]:
    """Feature → the value that the program needs of a profile; ``profile`` is the ending of its name."""
    if profile.endswith(METAL_PROFILE):
        # Its one subnet comes with it, and every NIC of a node is in that one.
        return {
            "allowMultiNicInSameNetwork": "MULTI_NIC_IN_SAME_NETWORK_ALLOWED",
            "allowMultiNicInSameSubnetwork": "MULTI_NIC_IN_SAME_SUBNETWORK_ALLOWED",
            "subnetworkStackTypes": "IPV6_ONLY",
            "interfaceTypes": RDMA_NIC,
        }
    return {
        "allowSubnetworkCreation": "SUBNETWORK_CREATION_ALLOWED",
        "allowMultiNicInSameNetwork": "MULTI_NIC_IN_SAME_NETWORK_ALLOWED",
        "subnetworkStackTypes": "IPV4_ONLY",
        "interfaceTypes": RDMA_NIC,
    }


def compared(profile: str, features: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What the profile refuses of the things asked, and what it leaves open, each ``feature: found``."""
    refused, untold = [], []
    for feature, wanted in asked(profile).items():
        has = features.get(feature)
        if feature in LISTS:
            if has and wanted not in has:
                refused.append(f"{feature}: {', '.join(has)}, not {wanted}")
            elif not has and not LISTS[feature]:
                untold.append(feature)
        elif has is None:
            untold.append(feature)
        elif has != wanted:
            refused.append(f"{feature}: {has}, not {wanted}")
    return refused, untold
