"""Services of the site: from the plan to the contract, the same on every platform."""

from __future__ import annotations

from railbed.contract import site
from railbed.plan import ClusterPlan
from railbed.spec.services import certificates


def of(plan: ClusterPlan) -> site.Services:
    """The site's services, as nodes need them."""
    dns = plan.site.dns
    return site.Services(
        dns=site.Dns(servers=dns.servers, search=dns.search) if dns else None,
        proxy=_proxy(plan),
        directory=_directory(plan),
        homes=_homes(plan),
    )


def _proxy(plan: ClusterPlan) -> site.Proxy | None:
    wanted = plan.site.proxy
    if wanted is None:
        return None
    return site.Proxy(
        http=wanted.http or "", https=wanted.https or "", no_proxy=wanted.no_proxy, authenticated=wanted.authenticated
    )  # fmt: skip


def _directory(plan: ClusterPlan) -> site.Directory | None:
    wanted = plan.site.directory
    if wanted is None:
        return None
    fields = wanted.model_dump() | {"ca": "".join(certificates(wanted.ca)), "bind_dn": wanted.bind_dn or ""}
    fields["people_filter"] = wanted.people_filter or ""
    return site.Directory(**fields)


def _homes(plan: ClusterPlan) -> site.Homes | None:
    wanted = plan.site.homes
    if wanted is None:
        return None
    mount = next(one.mount for one in plan.filesystems if one.name == wanted.filesystem)
    return site.Homes(mount=mount, path=f"{mount}/{wanted.path}")
