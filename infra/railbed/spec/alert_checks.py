"""What the receivers and routes of alerts must satisfy beyond their types."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.spec.alerts import Alerts, Email, Webhook


def check(alerts: Alerts, where: str, controllers: int) -> None:
    """Raises the first SpecError that ``site.alerts`` deserves."""
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
