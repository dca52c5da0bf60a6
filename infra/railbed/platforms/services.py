"""Services of the site: from the plan to the contract, the same on every platform."""

from __future__ import annotations

from typing import Literal

from railbed.contract import site
from railbed.plan import ClusterPlan
from railbed.spec.alerts import Email, PagerDuty, Receiver, Slack
from railbed.spec.services import certificates


def of(plan: ClusterPlan) -> site.Services:
    """The site's services, as nodes need them."""
    dns = plan.site.dns
    return site.Services(
        dns=site.Dns(servers=dns.servers, search=dns.search) if dns else None,
        proxy=_proxy(plan),
        directory=_directory(plan),
        homes=_homes(plan),
        alerts=_alerts(plan),
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


def _alerts(plan: ClusterPlan) -> site.Alerts | None:
    wanted = plan.site.alerts
    if wanted is None:
        return None
    return site.Alerts(
        receivers=[_receiver(one) for one in wanted.receivers],
        default=wanted.default,
        routes=[
            site.AlertRoute(severity=one.severity or "", teams=one.teams, receivers=one.receivers) for one in wanted.routes
        ],
        heartbeat=wanted.heartbeat or "",
        repeat_h=wanted.repeat_h,
    )  # fmt: skip


def _receiver(one: Receiver) -> site.Receiver:
    if isinstance(one, Email):
        return site.Receiver(
            name=one.name, kind=one.kind, file="password" if one.login else "none", smarthost=one.smarthost,
            sender=one.sender, to=one.to, login=one.login or "", require_tls=one.require_tls,
        )  # fmt: skip
    if isinstance(one, PagerDuty):
        return site.Receiver(name=one.name, kind=one.kind, file="key")
    if isinstance(one, Slack):
        return site.Receiver(name=one.name, kind=one.kind, file="url", channel=one.channel)
    kept: Literal["none", "url", "token"] = "token" if one.authenticated else "none" if one.url else "url"
    return site.Receiver(name=one.name, kind=one.kind, file=kept, url=one.url or "")
