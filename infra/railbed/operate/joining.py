"""Nodes that a cluster does not have yet, or has as another machine."""

from __future__ import annotations

from collections.abc import Mapping

from railbed.contract import Contract
from railbed.operate.shrink import present_name


def joining(
    contract: Contract, wanted: Mapping[str, tuple[str, str, str]], renamed: Mapping[str, str]
) -> list[str]:
    """Names of those ``wanted`` that the contract lacks, or has with another machine, image profile or serial number.

    ``wanted``: host → these three, without a serial number where the provider chooses the machine. Contracts of the time before
    classes tell no profile: every host joins then. What no contract holds is not compared: a machine's ``generation``, and the
    image itself where its profile is the same.
    """
    profiles = {one.name: one.image.profile for one in contract.classes}
    have = {
        present_name(node.name, node.pool, renamed): (
            node.machine,
            profiles.get(node.node_class),
            node.identity.value,
        )
        for node in contract.nodes
    }
    return [
        name
        for name, (machine, profile, serial) in wanted.items()
        if name not in have or have[name] != (machine, profile, serial or have[name][2])
    ]
