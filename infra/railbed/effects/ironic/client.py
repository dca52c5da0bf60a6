"""Nodes of an Ironic, by openstacksdk: read as ``states.Seen``, written as ``node`` made them of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import openstack.connection
import requests
from keystoneauth1 import exceptions as transport
from keystoneauth1.http_basic import HTTPBasicAuth
from keystoneauth1.session import Session
from openstack import exceptions

from railbed.effects.ironic import node
from railbed.effects.ironic.states import Seen
from railbed.errors import RailbedError

T = TypeVar("T")
VERSION = "1.89"
"""API microversion: the last that this client needs is 1.66 (network data); 1.89 came with Ironic 24 (2024.1)."""
NOT_FOUND = 404
CLAIMS = ("owner", "lessee", "instance_uuid", "allocation_uuid", "protected", "retired")
"""Ironic's own fields by which a node is somebody's; railbed sets none of them."""
LEAVING = "installed; no longer Ironic's"
"""Reason of the maintenance in which railbed removes a node: no person's."""


@dataclass(frozen=True)
class Access:
    """How an Ironic is reached; the password never shows in a representation."""

    url: str
    user: str
    password: str = field(repr=False)
    ca_file: str = ""
    """Of its certificate's authority; empty: the system's own."""


class Nodes:
    """The nodes of one Ironic. Every method raises RailbedError ``IRONIC_REFUSED``, ``IRONIC_SILENT`` or ``IRONIC``."""

    def __init__(self, access: Access) -> None:
        plain = requests.Session()
        plain.trust_env = False
        auth = HTTPBasicAuth(endpoint=access.url, username=access.user, password=access.password)
        session = Session(auth=auth, session=plain, verify=access.ca_file or True)
        self._url = access.url
        self._api = openstack.connection.Connection(
            session=session, baremetal_endpoint_override=access.url, baremetal_default_microversion=VERSION
        ).baremetal

    def names(self) -> list[str]:
        """Of all its nodes."""
        return self._do("list its nodes", lambda: [str(one.name) for one in self._api.nodes(details=False)])

    def see(self, name: str) -> Seen | None:
        """The node of that name; None where there is none."""
        answer = self._do("read the node", lambda: self._api.get(f"/nodes/{name}", microversion=VERSION))
        if answer.status_code == NOT_FOUND:
            return None
        self._do("read the node", lambda: exceptions.raise_from_response(answer))
        return seen(answer.json())

    def create(self, name: str, fields: Mapping[str, Any]) -> None:
        """A node in state enroll."""
        self._do("create the node", lambda: self._api.create_node(name=name, driver="redfish", **fields))

    def patch(self, name: str, values: Mapping[str, Any]) -> None:
        """Sets fields of the node, by path (``extra/KEY``): openstacksdk itself drops ``network_data``."""
        body = [{"op": "add", "path": f"/{path}", "value": value} for path, value in values.items()]

        def send() -> None:
            exceptions.raise_from_response(self._api.patch(f"/nodes/{name}", json=body, microversion=VERSION))

        self._do("describe the node", send)

    def provision(self, name: str, verb: str, **how: Any) -> None:
        """Asks for a change of state, and does not wait for it."""
        self._do(f"ask for {verb!r}", lambda: self._api.set_node_provision_state(name, verb, **how))

    def set_raid(self, name: str, target: Mapping[str, Any]) -> None:
        """What the RAID steps shall make."""

        def send() -> None:
            answer = self._api.put(f"/nodes/{name}/states/raid", json=dict(target), microversion=VERSION)
            exceptions.raise_from_response(answer)

        self._do("set the RAID configuration", send)

    def end_maintenance(self, name: str) -> None:
        """Ironic works on the node again."""
        self._do("end the maintenance", lambda: self._api.unset_node_maintenance(name))

    def forget(self, name: str) -> None:
        """Removes the node and all that is known of it; nothing is done to its machine."""
        self._do("set maintenance", lambda: self._api.set_node_maintenance(name, LEAVING))
        self._do("remove the node", lambda: self._api.delete_node(name))

    def inspected_serial(self, name: str) -> str:
        """The machine's serial number as inspection has found it; empty where Ironic keeps none."""
        answer = self._do(
            "read the inventory", lambda: self._api.get(f"/nodes/{name}/inventory", microversion=VERSION)
        )
        found: dict[str, Any] = answer.json() if answer.ok else {}
        vendor = found.get("inventory", {}).get("system_vendor") or {}
        return str(vendor.get("serial_number", ""))

    def _do(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except exceptions.HttpException as refused:
            status = refused.status_code or 0
            if status in (401, 403):
                raise RailbedError(
                    f"Ironic refused its user ({what})", code="IRONIC_REFUSED", path=self._url, found=f"HTTP {status}",
                    hint="check user and password of Ironic",
                ) from None  # fmt: skip
            raise RailbedError(
                f"Ironic did not {what}: {refused.details or refused.message}", code="IRONIC", path=self._url,
                found=f"HTTP {status}", hint="where another one works on the node, wait and run the same again",
            ) from None  # fmt: skip
        except (exceptions.SDKException, transport.ClientException) as broken:
            raise RailbedError(
                f"Ironic does not answer ({what})", code="IRONIC_SILENT", path=self._url, found=str(broken)[:200],
                hint="run the same again: it goes on from where the machine is",
            ) from None  # fmt: skip


def seen(reply: Mapping[str, Any]) -> Seen:
    """A node from the API's record."""
    extra, way = reply["extra"], reply["driver_info"]
    own = bool(reply["fault"]) or reply["maintenance_reason"] == LEAVING
    return Seen(
        state=reply["provision_state"], bmc=node.way(way.get("redfish_address"), way.get("redfish_system_id")),
        owner=str(extra.get(node.OWNER, "")), claims=tuple(f"{one}: {reply[one]}" for one in CLAIMS if reply[one]),
        serial=str(extra.get(node.SERIAL, "")), enrolled=bool(extra.get(node.ENROLLED)),
        described=str(extra.get(node.DESCRIBED, "")), preparing=str(extra.get(node.PREPARING, "")),
        prepared=str(extra.get(node.PREPARED, "")), cleans=reply["automated_clean"] is not False,
        inspected=bool(reply["inspection_finished_at"]), deployed=int(extra.get(node.DEPLOYED, 0)),
        written=str(extra.get(node.WRITTEN, "")), key=str(extra.get(node.KEY, "")),
        maintenance=reply["maintenance"] and not own, fault=reply["maintenance"] and own, error=reply["last_error"] or "",
    )  # fmt: skip
