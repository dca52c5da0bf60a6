"""What a user should know of the site's services in a plan."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.plan.parts import Warned
from railbed.spec import ClusterSpec
from railbed.spec.platforms import CLOUDS


def warnings(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    """Warnings about services of the site; ``where`` begins their paths."""
    dns = spec.site.dns
    if dns is not None and not dns.search and spec.platform.kind in CLOUDS:
        message = (
            "no domain of `site.dns.search` tells which names are the site's: systemd-resolved asks the site's servers and the "
            "provider's for every name, and takes the first that knows it"
        )
        yield Warned(code="DNS_UNDIVIDED", path=f"{where}.site.dns.search", message=message)
