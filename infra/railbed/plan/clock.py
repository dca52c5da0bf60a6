"""Where a cluster's controllers take their time from."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.plan.parts import Warned
from railbed.spec import ClusterSpec

PROVIDERS = {"aws": "169.254.169.123", "gcp": "metadata.google.internal", "oci": "169.254.169.254"}
"""NTP servers that a provider has at one address in every network.

AWS: EC2 user guide, "Amazon Time Sync Service"; GCP: Compute Engine, "Configure NTP on a VM"; OCI: "Configuring the Oracle Cloud
Infrastructure NTP Service" (each read 2026-11-30). Azure's hosts have a PTP device and no server; others are not known.
"""


def servers(spec: ClusterSpec) -> list[str]:
    """NTP servers of the site, else the provider's; none where the controller is its own reference."""
    provider = PROVIDERS.get(spec.platform.kind)
    return list(spec.site.ntp) or ([provider] if provider else [])


def warnings(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    """NO_TIME_SOURCE: nothing above the controller keeps the time."""
    if spec.scheduler == "none" or servers(spec):
        return
    message = (
        "the controllers have no NTP server: the cluster keeps one time, which nobody compares with the world's, and "
        "`node.time` stays unproven on them. Name servers in `site.ntp`"
    )
    yield Warned(code="NO_TIME_SOURCE", path=f"{where}.site.ntp", message=message)
