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
            "no domain of `site.dns.search` says which names are the site's: systemd-resolved asks the site's servers and the "
            "provider's for every name, and takes the first that knows it"
        )
        yield Warned(code="DNS_UNDIVIDED", path=f"{where}.site.dns.search", message=message)
    proxy = spec.site.proxy
    if proxy is not None and proxy.authenticated:
        message = (
            "only apt logs in to the proxy: the training stack asks it without a login, and so do "
            "people. Let the nodes' addresses pass without one for these"
        )
        yield Warned(code="PROXY_LOGIN", path=f"{where}.site.proxy.authenticated", message=message)
    if spec.site.directory is not None:
        yield from _directory(spec, where)


def _directory(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    if spec.site.homes is None:
        message = (
            "people of the directory have no homes that railbed knows of: they must be where the directory says, on every node. "
            "Name a filesystem in `site.homes`"
        )
        yield Warned(code="NO_HOMES", path=f"{where}.site.homes", message=message)
    if spec.scheduler != "slurm":
        message = "without Slurm every member of the directory's groups may log in to every host at any time"
        yield Warned(code="OPEN_LOGINS", path=f"{where}.site.directory.groups", message=message)
