"""Alibaba Cloud's API, signed with the keys in the environment. Discovery and preflight only read, and
run one printing command on Lingjun nodes; nodes that leave a group are removed by it (`scale_in`)."""

from __future__ import annotations

import json
import os
from typing import Any

import alibabacloud_ecs20140526.client as ecs_client
import alibabacloud_ecs20140526.models as ecs_models
import alibabacloud_eflo_controller20221215.client as eflo_client
import alibabacloud_eflo_controller20221215.models as eflo_models
import alibabacloud_ess20220222.client as ess_client
import alibabacloud_ess20220222.models as ess_models
import alibabacloud_sts20150401.client as sts_client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions
from darabonba.exceptions import DaraException

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
from railbed.platforms.cloud.calls import ApiFailure, patiently
from railbed.platforms.cloud.members import Member
from railbed.platforms.ecs import session as shared
from railbed.platforms.ecs.session import INSTANCES, Image, Words, credentials, items, request

KEYS = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105
MS = 1000


def configuration(region: str) -> Any:
    """The SDK's settings: variables that the Pulumi provider reads too. Raises ProviderError without keys."""
    key, secret = credentials("Alibaba Cloud", KEYS)
    return Config(
        access_key_id=key,
        access_key_secret=secret,
        security_token=os.environ.get(TOKEN) or None,
        region_id=region,
        protocol="https",
    )


def patience() -> Any:
    """Of one try; repeats are railbed's own."""
    return RuntimeOptions(
        autoretry=False,
        connect_timeout=int(CLOUD_CONNECT_TIMEOUT_S * MS),
        read_timeout=int(CLOUD_READ_TIMEOUT_S * MS),
    )


class Session(shared.Session):
    """The services that railbed asks, in one region. Answers are the bodies of the SDK's responses."""

    words = Words(
        cloud="Alibaba Cloud", shape="instance_type", state="lifecycle_state", desired="desired_capacity", began="start_time",
        tag=("tag_key", "tag_value"), going_on=("InProgress",), good="Successful", zones="",
        architectures={"x86_64": ("x86_64",), "arm64": ("arm64",)},
    )  # fmt: skip

    def __init__(self, region: str) -> None:
        self.region = region
        settings = configuration(region)
        self._ecs = ecs_client.Client(settings)
        self._ess = ess_client.Client(settings)
        self._eflo = eflo_client.Client(settings)
        self._sts = sts_client.Client(settings)

    def account(self) -> str:
        return str(ask(self._sts, "get_caller_identity", None).account_id)

    def ecs(self, call: str, **fields: Any) -> Any:
        return ask(self._ecs, call, getattr(ecs_models, request(call))(region_id=self.region, **fields))

    def types(self, shape: str) -> Any:
        """The provider's description of an instance type; None where the region has none of that name."""
        asked = ecs_models.DescribeInstanceTypesRequest(instance_types=[shape])
        found = ask(self._ecs, "describe_instance_types", asked).instance_types.instance_type
        return next(iter(found or []), None)

    def groups(self, call: str, **fields: Any) -> Any:
        return ask(self._ess, call, getattr(ess_models, request(call))(region_id=self.region, **fields))

    def resize(self, group: str, desired: int) -> None:
        """This one call takes no region."""
        wanted = ess_models.ModifyScalingGroupRequest(scaling_group_id=group, desired_capacity=desired)
        ask(self._ess, "modify_scaling_group", wanted)

    def remove(self, group: str, ids: list[str]) -> None:
        self.groups(
            "remove_instances", scaling_group_id=group, instance_ids=ids, decrease_desired_capacity=True,
            remove_policy="release",
        )  # fmt: skip

    def instances(self, ids: list[str]) -> list[Any]:
        answer = self.ecs("describe_instances", instance_ids=json.dumps(ids), page_size=INSTANCES)
        return items(answer, "instances")

    def member(self, instance: Any) -> Member:
        address = (instance.vpc_attributes.private_ip_address.ip_address or [""])[0]
        return Member(id=instance.instance_id, address=address, created=instance.creation_time or "")

    def console(self, instance: str) -> str:
        return str(self.ecs("get_instance_console_output", instance_id=instance).console_output or "")

    def image(self, name: str) -> Image | None:
        shown = items(self.ecs("describe_images", image_id=name), "images")
        return next((Image(one.osname, one.architecture, one.is_support_cloudinit) for one in shown), None)

    def why(self, activity: Any) -> str:
        return str(activity.error_message or activity.status_message or activity.status_code)

    def eflo(self, call: str, **fields: Any) -> Any:
        """An answer of Lingjun's controller."""
        return ask(self._eflo, call, getattr(eflo_models, request(call))(**fields))


def ask(client: Any, call: str, asked: Any) -> Any:
    """One answer. Raises ProviderError."""
    method = getattr(client, f"{call}_with_options")
    arguments = [patience()] if asked is None else [asked, patience()]
    return patiently(
        f"Alibaba Cloud {request(call).removesuffix('Request')}",
        lambda: method(*arguments).body, (DaraException, OSError), read_failure,
    )  # fmt: skip


def read_failure(refusal: Exception) -> ApiFailure:
    """The provider's error out of what the SDK raised."""
    status = getattr(refusal, "status_code", None) or getattr(refusal, "statusCode", None) or 0
    code = str(getattr(refusal, "code", "") or type(refusal).__name__)
    return ApiFailure(int(status), code, str(getattr(refusal, "message", "") or refusal))
