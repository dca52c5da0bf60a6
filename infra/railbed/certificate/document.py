"""What a certificate says, and what makes it one: its shape, strict, and that its verdict follows from its claims. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from railbed.certificate.identity import Identity
from railbed.certificate.manifest import Sha256, readable
from railbed.claims import FrozenModel, Verdict, withholds

SCHEMA = "railbed/certificate/v2"
OLDER = ("railbed/certificate/v1",)
"""Schemas of earlier releases: they cover no evidence, no measured identity, and never expire."""


def _moment(text: str) -> str:
    """An ISO time with its offset from UTC. Raises ValueError."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    return text


def _key(text: str) -> str:
    """An OpenSSH public key. Raises ValueError."""
    try:
        base64.b64decode(text.split(" ")[1], validate=True)
    except binascii.Error:
        raise ValueError("its base64 is broken") from None
    return readable(text)


MAX_TEXT_CHARACTERS = 4000
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), AfterValidator(readable)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")]
ClaimId = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._@-]{0,127}$")]
Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
PublicKey = Annotated[
    str,
    Field(max_length=4000, pattern=r"^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]{16,}={0,2}( .*)?$"),
    AfterValidator(_key),
]
Number = Annotated[float, Field(allow_inf_nan=False)]


def fingerprint(public_key: str) -> str:
    """``SHA256:…`` of an OpenSSH public key, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(public_key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def comment(public_key: str) -> str:
    """What stands behind the key: words of whoever wrote the file, and no proof of anything."""
    return public_key.split(" ", 2)[2] if public_key.count(" ") > 1 else ""


class CertifiedClaim(FrozenModel):
    """One claim with its numbers."""

    claim: ClaimId
    node: Name | Literal[""]
    """Empty for a claim of the whole cluster."""
    verdict: Verdict
    measured: Number | Text | None
    unit: Text
    expected: Number | Text | None
    floor: Number | None
    simulated: bool


class Outside(FrozenModel):
    """A claim that was out of scope."""

    id: ClaimId
    reason: Text


class CertifiedNode(FrozenModel):
    """One node: which machine the contract says it is, and what that machine showed of itself."""

    name: Name
    role: Name
    machine: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{0,128}$")]
    """Catalogue key; empty for a controller."""
    identity_kind: Literal["instance_id", "serial", "machine_id"]
    identity: Text
    """As the contract has it."""
    measured: Identity
    """As it was measured on the node."""


class Certificate(FrozenModel):
    """A signed certificate. Its signature is over everything else in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    schema_: Literal["railbed/certificate/v2"] = Field(default="railbed/certificate/v2", alias="schema")
    stack: Name
    cluster: Name
    contract_hash: Sha256
    spec_hash: Text
    verdict: Literal["pass"]
    claims: list[CertifiedClaim] = Field(min_length=1)
    accepted_unproven: dict[ClaimId, Text]
    out_of_scope: list[Outside]
    simulated: bool
    started: Moment
    issued_at: Moment
    expires: Moment
    nodes: list[CertifiedNode] = Field(min_length=1)
    report: Name
    """Name of the report's folder."""
    report_sha256: Sha256
    """Of `report.json` in it."""
    manifest_sha256: Sha256
    """Of `manifest.json` in it, which has the digest of every other file."""
    public_key: PublicKey
    signature: Annotated[str, Field(max_length=8000)]

    @model_validator(mode="after")
    def _follows(self) -> Self:
        """The verdict and the times must follow from what else it says."""
        for one in self.claims:
            if withholds(one.claim, one.verdict, self.accepted_unproven):
                raise ValueError(f"says pass, and {one.claim} {one.node or 'cluster'} is {one.verdict.value}")
        if datetime.fromisoformat(self.expires) <= datetime.fromisoformat(self.issued_at):
            raise ValueError("expires before it was issued")
        return self

    def as_json(self) -> dict[str, Any]:
        """The certificate as JSON data."""
        return self.model_dump(mode="json", by_alias=True)
