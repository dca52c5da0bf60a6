"""The account guard: nothing is declared before the keys in use are seen to belong to the spec's account."""

from __future__ import annotations

from railbed.errors import RailbedError
from railbed.platforms.volcengine.session import Session
from railbed.spec.platforms import VolcenginePlatform

WRONG = "ACCOUNT"


def require(place: VolcenginePlatform) -> None:
    """Raises RailbedError (code ACCOUNT) for another account; the Pulumi provider has no such argument of its own."""
    found = Session(place.region).account()
    if found != place.account:
        raise RailbedError(
            "these credentials belong to another Volcengine account; nothing was made",
            path="railbed:cluster.platform.account",
            found=found,
            allowed=place.account,
            hint="use the access key of the account in the spec",
            code=WRONG,
        )
