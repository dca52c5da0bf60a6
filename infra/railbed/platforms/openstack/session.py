"""The connection to an OpenStack cloud, the same entry of clouds.yaml for the engine's provider and for the SDK."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from railbed.defaults import CLOUD_READ_TIMEOUT_S
from railbed.platforms.cloud.calls import ApiFailure, ProviderError, patiently

T = TypeVar("T")


def name() -> str | None:
    """Entry of clouds.yaml: OS_CLOUD; None where OS_* variables name the cloud themselves."""
    return os.environ.get("OS_CLOUD") or None


def connect(region: str) -> Any:
    """A connection of the SDK; makes no request. Raises ProviderError where there are no credentials to try."""
    import openstack
    from openstack import exceptions

    try:
        return openstack.connect(cloud=name(), region_name=region, api_timeout=CLOUD_READ_TIMEOUT_S)
    except (exceptions.ConfigException, exceptions.SDKException) as wrong:
        raise ProviderError("clouds.yaml", ApiFailure(401, "Credential", str(wrong))) from None


def asked(what: str, ask: Callable[[], T]) -> T:
    """``ask()``, repeated while the cloud is busy. Raises ProviderError."""
    from keystoneauth1 import exceptions as keystone
    from openstack import exceptions

    return patiently(what, ask, (exceptions.SDKException, keystone.ClientException), _read_failure)


NO_CREDENTIALS = ("MissingRequiredOptions", "MissingAuthPlugin", "NoMatchingPlugin", "AuthPluginException")
NOT_THERE = ("EndpointNotFound", "CatalogException", "ServiceNotSupported")
UNSUPPORTED = "NotImplemented"
"""Code of an answer that this cloud's driver has no such thing (HTTP 501)."""


def _read_failure(refusal: Exception) -> ApiFailure:
    """Status and name of a refusal. Those that never reached the cloud have only their class."""
    name = type(refusal).__name__
    status = int(getattr(refusal, "status_code", None) or getattr(refusal, "http_status", None) or 0)
    if name in NO_CREDENTIALS:
        status, name = 401, "Credential"
    elif name in NOT_THERE:
        status = 404
    elif status == 501:
        name = UNSUPPORTED
    return ApiFailure(status, name, str(refusal))
