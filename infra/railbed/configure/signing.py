"""The site's own key, with which nodes in secure boot sign the modules that they build: it is looked at before any node is."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from railbed.contract import Contract
from railbed.errors import UsageError

KEY, CERTIFICATE = "mok.key", "mok.pem"
"""Below the stack's secrets; a site puts them there."""


def require_pair(contract: Contract, secrets: Path) -> None:
    """Raises UsageError ``SIGNING_KEY`` where the spec asks for signed modules and the pair is missing or another one."""
    wanted = contract.software.certificate_sha256
    if contract.software.secure_boot != "mok":
        return
    missing = [name for name in (KEY, CERTIFICATE) if not (secrets / name).is_file()]
    if missing:
        raise UsageError(
            "nodes are to sign the modules that they build, and the site's key is not there", code="SIGNING_KEY",
            path=str(secrets), found=f"no {' and no '.join(missing)}",
            hint=f"put the pair there in PEM, {KEY} with mode 0600, or choose another way in software.module_signing",
        )  # fmt: skip
    try:
        der = ssl.PEM_cert_to_DER_cert((secrets / CERTIFICATE).read_text())
    except ValueError:
        der = b""
    has = hashlib.sha256(der).hexdigest() if der else "no certificate in PEM"
    if has != wanted:
        raise UsageError(
            "the site's certificate is not the one that the spec names", code="SIGNING_KEY",
            path=str(secrets / CERTIFICATE), found=has, allowed=wanted,
            hint="nodes were asked to trust the one that the spec names; nothing was changed",
        )  # fmt: skip
