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
from railbed.platforms.cloud.calls import ApiFailure, patiently
from railbed.platforms.cloud.members import Member
from railbed.platforms.ecs import session as shared
from railbed.platforms.ecs.session import INSTANCES, Image, Words, credentials, items, request

KEYS = ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY")
TOKEN = "VOLCENGINE_SESSION_TOKEN"  # noqa: S105
PRIMARY = "primary"


def configuration(region: str) -> Any:
    """The SDK's settings: the same variables that the Pulumi provider reads. Raises ProviderError without keys."""
    key, secret = credentials("Volcengine", KEYS)
    settings = volcenginesdkcore.Configuration()
    settings.ak, settings.sk = key, secret
    settings.session_token = os.environ.get(TOKEN, "")
    settings.region = region
    settings.connect_timeout, settings.read_timeout = CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
    settings.auto_retry = False  # railbed's own repeats are bounded for all providers alike
    return settings


class Session(shared.Session):
    """The services that railbed asks, in one region."""

    words = Words(
        cloud="Volcengine", shape="instance_type_id", state="status", desired="desire_instance_number", began="created_at",
        tag=("key", "value"), going_on=("Init", "Running"), good="Success", zones="zone_ids",
        architectures={"x86_64": ("amd64", "x86_64")},
    )  # fmt: skip

    def __init__(self, region: str) -> None:
        client = volcenginesdkcore.ApiClient(configuration(region))
        self._ecs = volcenginesdkecs.ECSApi(client)
        self._groups = volcenginesdkautoscaling.AUTOSCALINGApi(client)
        self._sts = volcenginesdksts.STSApi(client)

    def account(self) -> str:
        return str(
            _ask(self._sts.get_caller_identity, volcenginesdksts.GetCallerIdentityRequest()).account_id
        )

    def ecs(self, call: str, **fields: Any) -> Any:
        return _ask(getattr(self._ecs, call), getattr(volcenginesdkecs, request(call))(**fields))

    def groups(self, call: str, **fields: Any) -> Any:
        return _ask(getattr(self._groups, call), getattr(volcenginesdkautoscaling, request(call))(**fields))

    def instances(self, ids: list[str]) -> list[Any]:
        return items(self.ecs("describe_instances", instance_ids=ids, max_results=INSTANCES), "instances")

    def member(self, instance: Any) -> Member:
        cards = instance.network_interfaces or []
        primary = [card for card in cards if (card.type or "").lower() == PRIMARY] or cards
        address = str(primary[0].primary_ip_address) if primary else ""
        return Member(id=instance.instance_id, address=address, created=instance.created_at or "")

    def console(self, instance: str) -> str:
        return str(self.ecs("get_console_output", instance_id=instance).output or "")

    def image(self, name: str) -> Image | None:
        shown = items(self.ecs("describe_images", image_ids=[name]), "images")
        return next(
            (
                Image(one.os_name or one.platform, one.architecture, one.is_support_cloud_init)
                for one in shown
            ),
            None,
        )

    def why(self, activity: Any) -> str:
        return str(activity.result_msg or activity.status_code)

    def remove(self, group: str, ids: list[str]) -> None:
        self.groups(
            "remove_instances", scaling_group_id=group, instance_ids=ids, decrease_desired_capacity=True
        )

    def resize(self, group: str, desired: int) -> None:
        self.groups("modify_scaling_group", scaling_group_id=group, desire_instance_number=desired)


def _ask(method: Callable[[Any], Any], asked: Any) -> Any:
    name = type(asked).__name__.removesuffix("Request")
    return patiently(f"Volcengine {name}", lambda: method(asked), (ApiException, HTTPError), read_failure)


def read_failure(refusal: Exception) -> ApiFailure:
    """The provider's error out of what the SDK raised."""
    if not isinstance(refusal, ApiException):
        return ApiFailure(0, type(refusal).__name__, str(refusal))
    body = refusal.body.decode(errors="replace") if isinstance(refusal.body, bytes) else refusal.body or ""
    try:
        error = json.loads(body)["ResponseMetadata"]["Error"]
        return ApiFailure(int(refusal.status or 0), str(error["Code"]), str(error["Message"]))
    except (ValueError, KeyError, TypeError):
        return ApiFailure(int(refusal.status or 0), "", str(refusal.reason))
