"""moto with what a GPU cluster needs and moto 5.2.5 lacks; every addition is ours and says what it follows.

Placement groups, capacity reservations and blocks that count, interfaces by network card (checked against the cards that
EC2's DescribeInstanceTypes lists, which moto ships), launch templates that are honoured whole, consoles with host keys, and
the quota of P instances. It stands for AWS and is not AWS: what it takes, EC2 may still refuse.
"""

from __future__ import annotations

import base64
import datetime
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import Attachment
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses import EC2Response
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.servicequotas.models import ServiceQuotasBackend

ACCOUNT = "123456789012"
"""moto's own."""
DEVICES_PER_CARD = 16
"""Room for the device indexes of one card in the single index by which moto keeps interfaces."""
_numbers = itertools.count(1)


def refused(code: str, message: str) -> EC2ClientError:
    return EC2ClientError(code, message)


def _table(backend: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = vars(backend).setdefault(f"railbed_{name}", {})
    return found


def create_placement_group(self: Any) -> ActionResult:
    name, groups = self._get_param("GroupName"), _table(self.ec2_backend, "placement")
    if name in groups:
        raise refused("InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists.")
    strategy = self._get_param("Strategy") or "cluster"
    groups[name] = {
        "GroupName": name,
        "State": "available",
        "Strategy": strategy,
        "GroupId": f"pg-{next(_numbers):017x}",
    }
    return ActionResult({"PlacementGroup": groups[name]})


def describe_placement_groups(self: Any) -> ActionResult:
    names = self._get_param("GroupNames") or []
    groups = _table(self.ec2_backend, "placement").values()
    return ActionResult(
        {"PlacementGroups": [one for one in groups if not names or one["GroupName"] in names]}
    )


def create_capacity_reservation(self: Any) -> ActionResult:
    count = int(self._get_param("InstanceCount"))
    made = {
        "CapacityReservationId": f"cr-{next(_numbers):017x}",
        "InstanceType": self._get_param("InstanceType"),
        "AvailabilityZone": self._get_param("AvailabilityZone"),
        "TotalInstanceCount": count,
        "AvailableInstanceCount": count,
        "State": "active",
        "ReservationType": "default",
        "StartDate": datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
        **({"EndDate": end} if (end := self._get_param("EndDate")) else {}),
        **({"PlacementGroupArn": arn} if (arn := self._get_param("PlacementGroupArn")) else {}),
    }
    _table(self.ec2_backend, "capacity")[made["CapacityReservationId"]] = made
    return ActionResult({"CapacityReservation": made})


def describe_capacity_reservations(self: Any) -> ActionResult:
    held = _table(self.ec2_backend, "capacity")
    names = self._get_param("CapacityReservationIds") or list(held)
    return ActionResult({"CapacityReservations": [_reservation(self.ec2_backend, name) for name in names]})


def get_console_output(self: Any) -> ActionResult:
    """As cloud-init's keys-to-console prints it."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    text = f"-----BEGIN SSH HOST KEY KEYS-----\n{host_key(instance.id)} root@node\n-----END SSH HOST KEY KEYS-----\n"
    return ActionResult({"InstanceId": instance.id, "Output": base64.b64encode(text.encode()).decode()})


def host_key(instance: str) -> str:
    """The key that the emulated instance prints; nobody has its private half."""
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + instance.removeprefix("i-").zfill(43)


def _reservation(backend: Any, name: str) -> dict[str, Any]:
    held = _table(backend, "capacity")
    if name not in held:
        raise refused(
            "InvalidCapacityReservationId.NotFound", f"The capacity reservation '{name}' does not exist."
        )
    found: dict[str, Any] = held[name]
    return found


def _check(backend: Any, template: dict[str, Any], count: int) -> dict[str, Any] | None:
    """What EC2 refuses of a launch: returns the reservation that it is taken from."""
    group = template.get("Placement", {}).get("GroupName")
    if group and group not in _table(backend, "placement"):
        raise refused("InvalidPlacementGroup.Unknown", f"The placement group '{group}' is unknown.")
    _check_cards(template)
    target = template.get("CapacityReservationSpecification", {}).get("CapacityReservationTarget", {})
    if not (name := target.get("CapacityReservationId")):
        return None
    held = _reservation(backend, name)
    in_block = template.get("InstanceMarketOptions", {}).get("MarketType") == "capacity-block"
    if (held["ReservationType"] == "capacity-block") != in_block:
        raise refused(
            "InvalidParameterCombination", "The market type does not match the capacity reservation."
        )
    if in_block and group:
        # AWS ParallelCluster changelog: a launch template for capacity blocks must not name a placement group.
        raise refused("InvalidParameterCombination", "Capacity Blocks cannot be used with placement groups.")
    if held["AvailableInstanceCount"] < count:
        raise refused(
            "ReservationCapacityExceeded",
            "The requested reservation does not have sufficient compatible and available capacity for this request.",
        )
    return held


def _check_cards(template: dict[str, Any]) -> None:
    """Every interface on a card that is there, of a type that the card takes, at a device index that it has, once."""
    network = INSTANCE_TYPES[template["InstanceType"]]["NetworkInfo"]
    cards = {card["NetworkCardIndex"]: card for card in network.get("NetworkCards", [])}
    taken, efa = set(), 0
    for one in template.get("NetworkInterfaces", []):
        place = _place(one)
        kind = one.get("InterfaceType") or "interface"
        card = cards.get(place[0])
        if card is None or place[1] >= card["MaximumNetworkInterfaces"]:
            raise refused(
                "InvalidNetworkInterface", f"{template['InstanceType']} has no card and device {place}."
            )
        if kind not in card.get("InterfaceTypes", [kind]) or (place == (0, 0) and kind == "efa-only"):
            raise refused(
                "InvalidNetworkInterface", f"Card and device {place} take no interface of type {kind}."
            )
        if place in taken:
            raise refused("InvalidNetworkInterface", f"Card and device {place} are given twice.")
        taken.add(place)
        efa += kind != "interface"
    if efa > network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0):
        raise refused(
            "AttachmentLimitExceeded", f"{efa} EFA interfaces are more than {template['InstanceType']} has."
        )


def _place(one: dict[str, Any]) -> tuple[int, int]:
    return int(one.get("NetworkCardIndex") or 0), int(one.get("DeviceIndex") or 0)


def _run_instances(original: Callable[..., Any]) -> Callable[..., Any]:
    """Every launch, of RunInstances and of Auto Scaling alike, with all that its template says."""

    def run(self: Any, image_id: str, count: int, user_data: Any, groups: list[str], **more: Any) -> Any:
        if not (named := more.get("launch_template")):
            return original(self, image_id, count, user_data, groups, **more)
        template = self._get_template_from_args(named).data
        held = _check(self, template, count)
        more["nics"] = [dict(one) for one in template.get("NetworkInterfaces", [])]
        more["subnet_id"] = more["nics"][0]["SubnetId"] if more["nics"] else more.get("subnet_id")
        more["instance_type"] = template["InstanceType"]
        made = original(self, image_id or template["ImageId"], count, user_data, groups, **more)
        for instance in made.instances:
            instance._placement.group_name = template.get("Placement", {}).get("GroupName")
            instance.capacity_reservation_id = held["CapacityReservationId"] if held else None
        if held:
            held["AvailableInstanceCount"] -= count
        return made

    return run


def _terminate(original: Callable[..., Any]) -> Callable[..., Any]:
    """Capacity goes back to its reservation."""

    def terminate(self: Any, *args: Any, **more: Any) -> Any:
        was = original(self, *args, **more)
        if name := getattr(self, "capacity_reservation_id", None):
            _reservation(self.ec2_backend, name)["AvailableInstanceCount"] += 1
            self.capacity_reservation_id = None
        return was

    return terminate


def _prep_nics(original: Callable[..., Any]) -> Callable[..., Any]:
    """moto keys interfaces by device index alone: each gets one of its own while they are made, then its true one."""

    def prep(self: Any, nic_spec: list[dict[str, Any]], *args: Any, **more: Any) -> None:
        wanted = {}
        for one in nic_spec or []:
            card, device = _place(one)
            one["DeviceIndex"] = card * DEVICES_PER_CARD + device
            wanted[one["DeviceIndex"]] = (card, device, one.get("InterfaceType") or "interface")
        original(self, nic_spec, *args, **more)
        for index, nic in self.nics.items():
            if index in wanted:
                nic.card, nic.device_index, nic.interface_type = wanted[index]

    return prep


def _attachment(original: Callable[..., None]) -> Callable[..., None]:
    def attach(self: Any, eni: Any) -> None:
        original(self, eni)
        self.network_card_index = getattr(eni, "card", 0)

    return attach


def _quota(quotas: dict[str, float], original: Callable[..., Any]) -> Callable[..., Any]:
    def get(self: Any, service_code: str, quota_code: str) -> Any:
        if quota_code in quotas:
            return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": quotas[quota_code]}
        return original(self, service_code, quota_code)

    return get


@contextmanager
def emulated(quotas: dict[str, float] | None = None) -> Iterator[None]:
    """An empty account; ``quotas`` by quota code. Nothing leaves this process, and moto is as before afterwards."""
    added = (
        create_placement_group, describe_placement_groups, create_capacity_reservation, describe_capacity_reservations,
        get_console_output,
    )  # fmt: skip
    wrapped = (
        (InstanceBackend, "run_instances", _run_instances),
        (Instance, "terminate", _terminate),
        (Instance, "prep_nics", _prep_nics),
        (Attachment, "__init__", _attachment),
        (ServiceQuotasBackend, "get_service_quota", lambda original: _quota(quotas or {}, original)),
    )
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        for function in added:
            stack.enter_context(patch.object(EC2Response, function.__name__, function, create=True))
        for owner, name, wrap in wrapped:
            stack.enter_context(patch.object(owner, name, wrap(getattr(owner, name))))
        stack.enter_context(patch.object(Instance, "capacity_reservation_id", None, create=True))
        stack.enter_context(
            patch.dict(filter_dict_attribute_mapping, {"capacity-reservation-id": "capacity_reservation_id"})
        )
        yield


def block(client: Any, backend_reservation: str) -> None:
    """Turns a reservation into a capacity block: they are bought, not made."""
    from moto.ec2 import ec2_backends

    backend = ec2_backends[ACCOUNT][client.meta.region_name]
    _reservation(backend, backend_reservation)["ReservationType"] = "capacity-block"
