"""Volcengine's API, signed with the keys in the environment. All but `scale_in` only reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import volcenginesdkautoscaling
import volcenginesdkcore
import volcenginesdkecs
import volcenginesdksts
from urllib3.exceptions import HTTPError
from volcenginesdkcore.rest import ApiException

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
from railbed.platforms.cloud.calls import ProviderError, Told, patiently

KEYS = ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY")
TOKEN = "VOLCENGINE_SESSION_TOKEN"  # noqa: S105


def configuration(region: str) -> Any:
    """The SDK's settings: the same variables that the Pulumi provider reads. Raises ProviderError without keys."""
    missing = [name for name in KEYS if not os.environ.get(name)]
    if missing:
        raise ProviderError("Volcengine", Told(401, "MissingAccessKey", f"{', '.join(missing)} not set"))
    settings = volcenginesdkcore.Configuration()
    settings.ak, settings.sk = (os.environ[name] for name in KEYS)
    settings.session_token = os.environ.get(TOKEN, "")
    settings.region = region
    settings.connect_timeout, settings.read_timeout = CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
    settings.auto_retry = False  # railbed's own repeats are bounded for all providers alike
    return settings


class Session:
    """The services that railbed asks, in one region."""

    def __init__(self, region: str) -> None:
        client = volcenginesdkcore.ApiClient(configuration(region))
        self._ecs = volcenginesdkecs.ECSApi(client)
        self._groups = volcenginesdkautoscaling.AUTOSCALINGApi(client)
        self._sts = volcenginesdksts.STSApi(client)

    def account(self) -> str:
        """Id of the account that the keys belong to."""
        return str(
            _ask(self._sts.get_caller_identity, volcenginesdksts.GetCallerIdentityRequest()).account_id
        )

    def ecs(self, call: str, **fields: Any) -> Any:
        """An answer of ECS, e.g. ``ecs("describe_instances", instance_ids=[…])``."""
        return _ask(getattr(self._ecs, call), getattr(volcenginesdkecs, _request(call))(**fields))

    def groups(self, call: str, **fields: Any) -> Any:
        """An answer of Auto Scaling."""
        return _ask(getattr(self._groups, call), getattr(volcenginesdkautoscaling, _request(call))(**fields))


def _request(call: str) -> str:
    return "".join(word.capitalize() for word in call.split("_")) + "Request"


def _ask(method: Callable[[Any], Any], request: Any) -> Any:
    name = type(request).__name__.removesuffix("Request")
    return patiently(f"Volcengine {name}", lambda: method(request), (ApiException, HTTPError), told)


def told(refusal: Exception) -> Told:
    """The provider's error out of what the SDK raised."""
    if not isinstance(refusal, ApiException):
        return Told(0, type(refusal).__name__, str(refusal))
    body = refusal.body.decode(errors="replace") if isinstance(refusal.body, bytes) else refusal.body or ""
    try:
        error = json.loads(body)["ResponseMetadata"]["Error"]
        return Told(int(refusal.status or 0), str(error["Code"]), str(error["Message"]))
    except (ValueError, KeyError, TypeError):
        return Told(int(refusal.status or 0), "", str(refusal.reason))
