"""Read-only calls to AWS: bounded in time and repeats, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S, CLOUD_TRIES, CLOUD_WORKERS
from railbed.platforms.cloud.calls import ApiFailure, ProviderError

REFUSED = 401
INVALID = (
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
)  # fmt: skip
"""Error codes of credentials that are not, or no longer, valid (EC2 API Reference, common client errors)."""
NO_CREDENTIALS = (
    CredentialRetrievalError, NoCredentialsError, SSOTokenLoadError, TokenRetrievalError, UnauthorizedSSOTokenError,
)  # fmt: skip


def client(service: str, region: str) -> Any:
    """A client of the credentials in use. It repeats itself, bounded, on 429, 5xx and throttling (retry mode standard)."""
    config = Config(
        connect_timeout=CLOUD_CONNECT_TIMEOUT_S,
        read_timeout=CLOUD_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": CLOUD_TRIES},
        max_pool_connections=CLOUD_WORKERS,
    )
    return _session(region).client(service, config=config)


@cache
def _session(region: str) -> Any:
    """One for all clients: it reads the profile and the API models once."""
    return boto3.session.Session(region_name=region)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns what botocore raises into ProviderError: CREDENTIALS, PROVIDER_BUSY, or PROVIDER with AWS's own words."""
    try:
        yield
    except NO_CREDENTIALS as none:
        raise ProviderError(what, ApiFailure(REFUSED, "NoCredentials", str(none))) from None
    except ClientError as refused:
        error = refused.response.get("Error", {})
        code = error.get("Code", "")
        status = refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        failure = ApiFailure(REFUSED if code in INVALID else status, code, error.get("Message", ""))
        raise ProviderError(what, failure) from None
    except (BotoCoreError, ResponseParserError) as broken:
        raise ProviderError(what, ApiFailure(0, type(broken).__name__, str(broken))) from None


def reservation(region: str, name: str) -> dict[str, Any]:
    """One capacity reservation or block as EC2 describes it. Raises ProviderError."""
    with asking(f"AWS on capacity {name}"):
        answer = client("ec2", region).describe_capacity_reservations(CapacityReservationIds=[name])
    found: dict[str, Any] = answer["CapacityReservations"][0]
    return found


def placement_of_reservation(region: str, name: str) -> str:
    """Name of the placement group that a reservation was made in; empty for none."""
    arn: str = reservation(region, name).get("PlacementGroupArn", "")
    return arn.rpartition("/")[2]


def lustre(region: str, name: str) -> dict[str, Any]:
    """One FSx filesystem. Raises ProviderError."""
    with asking(f"AWS on filesystem {name}"):
        answer = client("fsx", region).describe_file_systems(FileSystemIds=[name])
    found: dict[str, Any] = answer["FileSystems"][0]
    return found
