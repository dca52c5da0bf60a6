"""The account guard: nothing is declared before the keys in use are seen to belong to the spec's account."""

from __future__ import annotations

from railbed.errors import RailbedError
from railbed.platforms.alicloud.session import Session
from railbed.spec.platforms import AlicloudPlatform

WRONG = "ACCOUNT"


def require(session: Session, place: AlicloudPlatform) -> None:
    """Raises RailbedError (code ACCOUNT) for another account; the Pulumi provider has no such argument of its own."""
    found = session.account()
    if found != place.account:
        raise RailbedError(
            "these credentials belong to another Alibaba Cloud account; nothing was made",
            path="railbed:cluster.platform.account",
            found=found,
            allowed=place.account,
            hint="use the access key of the account in the spec",
            code=WRONG,
        )
