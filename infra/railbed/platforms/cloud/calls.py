"""Asking a provider's API: a bounded number of repeats while it is busy, then an error that says what it said."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from railbed.defaults import CLOUD_RETRY_S, CLOUD_TRIES
from railbed.errors import RailbedError
from railbed.platforms.findings import Finding

T = TypeVar("T")

BUSY_STATUS = (429, 500, 502, 503, 504)
BUSY_CODE = re.compile(r"Throttl|FlowLimit|TooManyRequests|ServiceUnavailable|InternalError")
CREDENTIALS_CODE = re.compile(r"AccessKey|SecurityToken|Signature|Credential|AuthenticationToken")
RENEW = "log in anew, or renew the access key or session token in the environment"


@dataclass(frozen=True)
class ApiFailure:
    """What a provider answered instead of a result."""

    status: int
    """HTTP status; 0 where there was no answer."""
    code: str
    message: str

    @property
    def busy(self) -> bool:
        """The same call may succeed in a moment."""
        return self.status == 0 or self.status in BUSY_STATUS or bool(BUSY_CODE.search(self.code))

    @property
    def credentials(self) -> bool:
        """The provider does not take who is asking."""
        return self.status == 401 or bool(CREDENTIALS_CODE.search(self.code))


class ProviderError(RailbedError):
    """A provider refused a call, or stayed busy. ``code``: CREDENTIALS, PROVIDER_BUSY or PROVIDER."""

    code = "PROVIDER"

    def __init__(self, what: str, failure: ApiFailure) -> None:
        code, hint = ("PROVIDER_BUSY", "try again later") if failure.busy else ("PROVIDER", "")
        if failure.credentials:
            code, hint = "CREDENTIALS", RENEW
        said = f"{failure.status} {failure.code}: {failure.message}".strip()
        super().__init__(f"{what}: {said}", found=failure.code or failure.status, hint=hint, code=code)


def patiently(
    what: str,
    ask: Callable[[], T],
    refusals: tuple[type[Exception], ...],
    read_failure: Callable[[Exception], ApiFailure],
) -> T:
    """``ask()``, repeated while the provider is busy; pauses double, up to CLOUD_RETRY_S together.

    Raises ProviderError.

    ``refusals``: what the SDK raises for an answer that is none; ``read_failure`` reads it.
    """
    for left in reversed(range(CLOUD_TRIES)):
        try:
            return ask()
        except refusals as refusal:
            failure = read_failure(refusal)
            if not failure.busy or failure.credentials or not left:
                raise ProviderError(what, failure) from None
        time.sleep(CLOUD_RETRY_S / 2**left)
    raise AssertionError("the last repeat returns or raises")


def checked(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """What ``check`` found; one failed finding where the provider did not answer: nothing is built on a guess."""
    try:
        return check()
    except ProviderError as failed:
        return [Finding(name, False, failed.message, failed.hint or "see the provider's own message")]
