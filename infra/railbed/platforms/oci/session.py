"""Credentials for Oracle Cloud, the same for the engine's provider and for the SDK, and what its refusals mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S, CLOUD_RETRY_S, CLOUD_TRIES
from railbed.errors import RailbedError, UsageError
from railbed.platforms.cloud.calls import ApiFailure, ProviderError

AUTH = {"api_key": "ApiKey", "security_token": "SecurityToken", "instance_principal": "InstancePrincipal"}
"""Value of OCI_CLI_AUTH (as Oracle's own command line reads it) → argument ``auth`` of the engine's provider."""


@dataclass(frozen=True)
class Clients:
    """One client of each service that railbed asks."""

    identity: Any
    compute: Any
    management: Any
    network: Any
    limits: Any
    lustre: Any
    work: Any
    bastion: Any


def profile() -> str:
    """Profile of ~/.oci/config: OCI_CLI_PROFILE, else DEFAULT."""
    return os.environ.get("OCI_CLI_PROFILE") or "DEFAULT"


def auth() -> str:
    """How to log in: OCI_CLI_AUTH, else ``api_key``. Raises UsageError for a way that railbed does not know."""
    way = os.environ.get("OCI_CLI_AUTH") or "api_key"
    if way not in AUTH:
        raise UsageError(
            "this way to log in to Oracle Cloud is not known",
            path="OCI_CLI_AUTH",
            found=way,
            allowed=sorted(AUTH),
            hint="unset it, or choose one of these",
        )
    return way


def clients(region: str) -> Clients:
    """Clients in ``region``, with bounded repeats on 429, 5xx and broken connections. Makes no request.

    Raises RailbedError where there are no credentials that could be tried.
    """
    from oci import (
        bastion,
        circuit_breaker,
        core,
        identity,
        limits,
        lustre_file_storage,
        retry,
        work_requests,
    )

    with _configured():
        config, signer = _credentials(region)
        options: dict[str, Any] = {
            "retry_strategy": retry.RetryStrategyBuilder(
                max_attempts=CLOUD_TRIES, total_elapsed_time_seconds=CLOUD_RETRY_S
            ).get_retry_strategy(),
            # The SDK's own breaker, shared by all clients, would answer for a service that nobody asked yet.
            "circuit_breaker_strategy": circuit_breaker.NoCircuitBreakerStrategy(),
            "timeout": (CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S),
            **({"signer": signer} if signer is not None else {}),
        }
        return Clients(
            identity=identity.IdentityClient(config, **options),
            compute=core.ComputeClient(config, **options),
            management=core.ComputeManagementClient(config, **options),
            network=core.VirtualNetworkClient(config, **options),
            limits=limits.LimitsClient(config, **options),
            lustre=lustre_file_storage.LustreFileStorageClient(config, **options),
            work=work_requests.WorkRequestClient(config, **options),
            bastion=bastion.BastionClient(config, **options),
        )


def _credentials(region: str) -> tuple[dict[str, Any], Any]:
    """Configuration and signer (None: the configuration's own key)."""
    from oci import config as files
    from oci.auth import signers
    from oci.signer import load_private_key_from_file

    way = auth()
    if way == "instance_principal":
        return {"region": region}, signers.InstancePrincipalsSecurityTokenSigner()
    config = {**files.from_file(profile_name=profile()), "region": region}
    if way == "security_token":
        token = Path(config["security_token_file"]).expanduser().read_text().strip()
        return config, signers.SecurityTokenSigner(token, load_private_key_from_file(config["key_file"]))
    return config, None


@contextmanager
def _configured() -> Iterator[None]:
    """A profile, key or token that is missing or broken is said as such."""
    from oci import exceptions

    try:
        yield
    except (exceptions.ClientError, ValueError, KeyError, OSError) as wrong:
        raise RailbedError(
            f"no credentials for Oracle Cloud: {wrong}",
            code="CREDENTIALS",
            hint="log in (`oci session authenticate`), or check the profile in ~/.oci/config",
        ) from None


@contextmanager
def asked(what: str) -> Iterator[None]:
    """The SDK's errors, after its own repeats, as ProviderError."""
    from oci import exceptions

    try:
        yield
    except exceptions.ServiceError as refused:
        code, message = str(refused.code), str(refused.message)
        raise ProviderError(what, ApiFailure(int(refused.status), code, message)) from None
    except exceptions.RequestException as silent:
        raise ProviderError(what, ApiFailure(0, "NoAnswer", str(silent))) from None


def every(listing: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """All pages of a list call of the SDK, whose own paginator would repeat each repeat."""
    found: list[Any] = []
    answer = listing(*args, **kwargs)
    while True:
        found += getattr(answer.data, "items", answer.data)
        if not answer.has_next_page:
            return found
        answer = listing(*args, **kwargs, page=answer.next_page)
