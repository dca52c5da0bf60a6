"""Which machine, whose word is trusted, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed import defaults
from railbed.errors import RailbedError, UsageError


@dataclass(frozen=True)
class Target:
    """One machine. ``serial`` is the system's serial number; nothing is ever done to another."""

    name: str
    serial: str
    bmc: str
    """``https://…`` of the BMC, or of one system of it (``…/redfish/v1/Systems/1``) where it has several."""

    def __str__(self) -> str:
        return f"{self.name} (serial {self.serial}) at {self.bmc}"


@dataclass(frozen=True)
class Trust:
    """How the BMC's TLS certificate is known: public authorities, a site's own, or this very certificate."""

    ca_file: Path | None = None
    fingerprint: str = ""
    """SHA-256 of the certificate in hexadecimal; takes the place of the authorities."""


@dataclass(frozen=True)
class Patience:
    """Timeouts and repeats, seconds; the defaults are those of ``railbed.defaults``."""

    connect_s: float = defaults.BMC_CONNECT_TIMEOUT_S
    read_s: float = defaults.BMC_READ_TIMEOUT_S
    tries: int = defaults.BMC_TRIES
    first_pause_s: float = defaults.BMC_FIRST_PAUSE_S
    longest_pause_s: float = defaults.BMC_LONGEST_PAUSE_S
    poll_s: float = defaults.POWER_POLL_S
    power_s: float = defaults.POWER_TIMEOUT_S
    shutdown_s: float = defaults.SHUTDOWN_GRACE_S
    media_s: float = defaults.MEDIA_TIMEOUT_S
    install_s: float = defaults.INSTALL_TIMEOUT_S
    erase_s: float = defaults.IRONIC_ERASE_TIMEOUT_S
    host_up_s: float = defaults.HOST_UP_TIMEOUT_S
    ironic_poll_s: float = defaults.IRONIC_POLL_S


class BmcError(RailbedError):
    """A BMC did not do what it was asked, or the machine is not the one that was meant; names the machine."""

    code = "BMC"

    def __init__(
        self,
        target: Target,
        message: str,
        *,
        code: str,
        found: Any = None,
        allowed: Any = None,
        hint: str = "",
    ) -> None:
        super().__init__(
            f"{target.name}: {message}", path=str(target), found=found, allowed=allowed, hint=hint, code=code
        )


class IdentityError(BmcError):
    """The serial number is another's: nothing was done."""

    def __init__(self, target: Target, found: list[str]) -> None:
        self.serials = found
        super().__init__(
            target, "the BMC has no system with this serial number; nothing was done", code="MACHINE_IDENTITY",
            found=found or "no system", allowed=target.serial,
            hint="if the machine was replaced, put the new serial number into the spec; if not, its bmc address is another's",
        )  # fmt: skip


def fingerprint(text: str) -> str:
    """64 hexadecimal digits of a SHA-256 fingerprint written with or without colons. Raises UsageError otherwise."""
    plain = text.replace(":", "").lower()
    if len(plain) != 64 or not set(plain) <= set("0123456789abcdef"):
        raise UsageError(
            "not a SHA-256 fingerprint of a certificate", found=text, allowed="64 hexadecimal digits",
            hint="openssl x509 -noout -fingerprint -sha256 -in certificate.pem",
        )  # fmt: skip
    return plain
