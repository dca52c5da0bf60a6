"""Who is told when an alert fires: receivers, and which alerts go to whom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import Name

Mailbox = Annotated[
    str, Field(max_length=254, pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
]
"""``person@domain``."""
Smarthost = Annotated[
    str, Field(max_length=260, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$")
]
"""``HOST:PORT``."""
SmtpLogin = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")]
HookUrl = Annotated[str, Field(max_length=2048, pattern=r"^https?://[A-Za-z0-9][A-Za-z0-9._~:/?@+,=-]*$")]
"""Without a secret: an address that is one belongs into the receiver's file."""
Channel = Annotated[str, Field(max_length=80, pattern=r"^[#@]?[a-z0-9][a-z0-9._-]*$")]
Severity = Literal["critical", "warning"]
"""Of the rules: now, and today."""
Team = Literal["compute", "network", "storage", "scheduler", "monitoring"]
"""Whose part an alert is about: hosts and GPUs, rails, shared filesystems, Slurm, the metrics themselves."""


class Email(SpecModel):
    """Mail through the site's relay."""

    kind: Literal["email"]
    name: Name
    """Of the receiver."""
    smarthost: Smarthost
    """The relay, as ``HOST:PORT``; port 465 is TLS from the first byte, others turn to it (STARTTLS)."""
    sender: Mailbox
    """Whom the mail is from."""
    to: list[Mailbox] = Field(min_length=1, max_length=32)
    """Whom it goes to."""
    login: SmtpLogin | None = None
    """Whom the relay knows; the password is in ``.railbed/<stack>/secrets/alerts.NAME``. Without it: no login."""
    require_tls: bool = True
    """Whether a relay without TLS is refused; a login is never given to such a one."""


class Webhook(SpecModel):
    """Alertmanager's JSON, by POST."""

    kind: Literal["webhook"]
    name: Name
    """Of the receiver."""
    url: HookUrl | None = None
    """Where it is sent to. Without it the address is a secret, the content of ``.railbed/<stack>/secrets/alerts.NAME``: with
    Alertmanager 0.26 (Ubuntu 24.04), as earlier ones show it."""
    authenticated: bool = False
    """Whether that file holds a bearer token, which is sent to ``url``."""


class PagerDuty(SpecModel):
    """PagerDuty's Events API v2; the integration key is in ``.railbed/<stack>/secrets/alerts.NAME``."""

    kind: Literal["pagerduty"]
    name: Name
    """Of the receiver."""


class Slack(SpecModel):
    """A channel of Slack; the address of the incoming webhook is in ``.railbed/<stack>/secrets/alerts.NAME``."""

    kind: Literal["slack"]
    name: Name
    """Of the receiver."""
    channel: Channel
    """Where it is written, e.g. ``#cluster``."""


Receiver = Annotated[Email | Webhook | PagerDuty | Slack, Field(discriminator="kind")]


class Route(SpecModel):
    """Alerts that go to receivers of their own; the first route that fits an alert takes it."""

    severity: Severity | None = None
    """Only alerts of this severity; without it all."""
    teams: list[Team] = Field(default=[], max_length=5)
    """Only alerts about the parts of these teams; empty: all."""
    receivers: list[Name] = Field(min_length=1, max_length=8)
    """Who is told, by name."""


class Alerts(SpecModel):
    """Who is told of alerts, by an Alertmanager on each controller."""

    receivers: list[Receiver] = Field(min_length=1, max_length=32)
    """Who can be told."""
    default: list[Name] = Field(min_length=1, max_length=8)
    """Who is told of alerts that no route takes, by name."""
    routes: list[Route] = Field(default=[], max_length=32)
    """In the order in which they are tried."""
    heartbeat: Name | None = None
    """Receiver of the alert that always fires (``Watchdog``), every 5 minutes: a service that raises the alarm when it misses it.
    Without it nobody notices that no alert arrives any more."""
    repeat_h: Annotated[int, Field(ge=1, le=168)] = 4
    """After how many hours an alert that still fires is told again."""
