"""What the receivers and routes of alerts must satisfy beyond their types."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.spec.alerts import Alerts, Email, Webhook

URL_FILE_SINCE = (0, 26)
"""Version of Alertmanager that reads a webhook's address from a file. Earlier ones know it as part of the configuration only, and
show it in their log and at /api/v2/status (prometheus/alertmanager, pull requests 3223 and 3228)."""
ALERTMANAGER = {"debian 12": (0, 25), "ubuntu 24.04": (0, 26)}
"""System → version of its package (packages.debian.org/bookworm/prometheus-alertmanager: 0.25.0-1+b4;
packages.ubuntu.com/noble/prometheus-alertmanager: 0.26.0+ds-1)."""


def check(alerts: Alerts, where: str, controllers: int, system: str) -> None:
    """Raises the first SpecError that ``site.alerts`` deserves. ``system``: of the controllers, e.g. ``debian 12``."""
    if not controllers:
        raise SpecError(
            "alerts come from the controllers, and this service has none", path=where,
            allowed="with `service: cluster` only", hint="remove `site.alerts`: the site watches hosts by themselves",
        )  # fmt: skip
    names = [one.name for one in alerts.receivers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SpecError(
            "several receivers of one name", path=f"{where}.receivers", found=twice, allowed="a name for each",
            hint="rename all but one", code="SPEC_RECEIVER",
        )  # fmt: skip
    for at, name in _named(alerts):
        if name not in names:
            raise SpecError(
                "no receiver has that name, so these alerts would reach nobody", path=f"{where}.{at}", found=name,
                allowed=names, hint="name one of `receivers`, or add it there", code="SPEC_RECEIVER",
            )  # fmt: skip
    for index, one in enumerate(alerts.receivers):
        if isinstance(one, Email):
            _email(one, f"{where}.receivers[{index}]")
        if isinstance(one, Webhook):
            _webhook(one, f"{where}.receivers[{index}]")
            _address(one, f"{where}.receivers[{index}]", system)


def _named(alerts: Alerts) -> Iterator[tuple[str, str]]:
    """Where each receiver is named, and its name."""
    yield from ((f"default[{index}]", name) for index, name in enumerate(alerts.default))
    for at, route in enumerate(alerts.routes):
        yield from ((f"routes[{at}].receivers[{index}]", name) for index, name in enumerate(route.receivers))
    if alerts.heartbeat:
        yield "heartbeat", alerts.heartbeat


def _email(one: Email, where: str) -> None:
    if one.login and not one.require_tls:
        raise SpecError(
            "the relay's password would be sent in the clear", path=f"{where}.require_tls", found=False,
            allowed="true where there is a login", hint="remove `require_tls`, or `login`", code="SPEC_CLEARTEXT",
        )  # fmt: skip


def _webhook(one: Webhook, where: str) -> None:
    if one.authenticated and (one.url is None or not one.url.startswith("https://")):
        raise SpecError(
            "a bearer token needs an address that it is sent to over TLS", path=f"{where}.url", found=one.url,
            allowed="https://…", hint="write the address as https://, or remove `authenticated`", code="SPEC_CLEARTEXT",
        )  # fmt: skip


def _address(one: Webhook, where: str, system: str) -> None:
    version = ALERTMANAGER.get(system)
    if one.url is None and (version is None or version < URL_FILE_SINCE):
        known = (
            f"Alertmanager {'.'.join(map(str, version))} of {system}"
            if version
            else f"the Alertmanager of {system}"
        )
        raise SpecError(
            f"{known} would show the webhook's secret address in its log and to whoever asks it", path=f"{where}.url",
            found=None, allowed="an address without a secret, as `url`; ubuntu 24.04 keeps a secret one in its file",
            hint="write `url` and `authenticated: true` (a bearer token in the file), or another `software.os`",
            code="SPEC_CLEARTEXT",
        )  # fmt: skip
