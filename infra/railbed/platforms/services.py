"""Services of the site: from the plan to the contract, the same on every platform."""

from __future__ import annotations

from railbed.contract import site
from railbed.plan import ClusterPlan


def of(plan: ClusterPlan) -> site.Services:
    """What nodes are told of the site's services."""
    dns = plan.site.dns
    return site.Services(dns=site.Dns(servers=dns.servers, search=dns.search) if dns else None)
