"""Google Cloud as the conformance suite sees it. Answers are in the forms of the Compute Engine API v1 reference, made by
hand; nothing was recorded from an account."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

COMPUTE = "/compute/v1/projects/example-project/"
CREATED = "2027-02-01T00:00:00.000-08:00"
KEY = re.compile(r"(ssh-ed25519) (AAAA[A-Za-z0-9+/=]+)")
BLOCK = re.compile(r"BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS", re.DOTALL)
LABELLED = (":InstanceTemplate", "instance:Instance", ":GlobalAddress")
CARD = "subnetwork"


class Answer:
    """The parts of an HTTP response that are read."""

    def __init__(self, status: int, body: Any) -> None:
        self.status_code = status
        self.text = json.dumps(body)
        self.headers = {"content-type": "application/json"}

    def json(self) -> Any:
        return json.loads(self.text)


class FakeGoogle:
    """Stands in for ``AuthorizedSession``: the one place where calls go out. Pages hold two results."""

    page = 2

    def __init__(self, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        self.pools = pools
        self.reasons = reasons
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.by_name = {self.name(node): node for nodes in pools.values() for node in nodes}
        self.listed = [self.instance(pool, node) for pool, nodes in pools.items() for node in nodes]

    def name(self, node: Node) -> str:
        return f"vm-{node.id}"

    def instance(self, pool: str, node: Node) -> dict[str, Any]:
        place = self.pools[pool].index(node)
        single = f"controller-{place}-name" if place else "controller-name"
        name = single if pool == "controller" else self.name(node)
        self.by_name[name] = node
        return {
            "id": node.id, "name": name, "status": "RUNNING", "creationTimestamp": CREATED,
            "networkInterfaces": [{"networkIP": node.address}, {"networkIP": "192.0.2.1"}],
        }  # fmt: skip

    def request(self, method: str, url: str, params: dict[str, str], timeout: Any) -> Answer:
        path = urlsplit(url).path.removeprefix(COMPUTE)
        self.asked.append((method, path, params))
        if path.endswith("/instances"):
            return self.paged("items", self.listed, params)
        if path.endswith("/listManagedInstances"):
            return self.paged("managedInstances", self.managed(path.split("/")[-2]), params)
        if path.endswith("/getGuestAttributes"):
            return self.attributes(self.by_name[path.split("/")[-2]])
        raise AssertionError(path)

    def managed(self, group: str) -> list[dict[str, Any]]:
        pool, index = re.fullmatch(r"(.*)-(\d+)-1a2b3c4", group).groups()  # type: ignore[union-attr]
        if index != "0":
            return []
        there = [{"id": node.id, "currentAction": "NONE"} for node in self.pools.get(pool, [])]
        errors = [{"code": said.split(":")[0], "message": said} for said in self.reasons.get(pool, [])]
        failing = (
            [{"currentAction": "CREATING", "lastAttempt": {"errors": {"errors": errors}}}] if errors else []
        )
        return [*there, *failing]

    def paged(self, key: str, items: list[dict[str, Any]], params: dict[str, str]) -> Answer:
        start, size = int(params.get("pageToken", "0")), max(self.page, len(items) // 20)
        more = {"nextPageToken": str(start + size)} if start + size < len(items) else {}
        return Answer(200, {key: items[start : start + size], **more})

    def attributes(self, node: Node) -> Answer:
        blocks = BLOCK.findall(node.console)
        found = KEY.findall(blocks[-1]) if blocks else []
        if not found:
            return Answer(
                404,
                {
                    "error": {
                        "code": 404,
                        "message": "The resource 'hostkeys/' of type 'Guest Attribute' was not found.",
                    }
                },
            )
        items = [{"namespace": "hostkeys", "key": kind, "value": key} for kind, key in found]
        return Answer(200, {"queryPath": "hostkeys/", "queryValue": {"items": items}})


class GcpView:
    """See ``view.View``."""

    kind = "gcp"
    examples = ("gcp-cluster", "gcp-hosts")
    machines = {  # noqa: RUF012  an attribute of the protocol
        "gcp/a3-ultragpu-8g": "gcp-cluster",
        "gcp/a4-highgpu-8g": "gcp-cluster",
        "gcp/a4x-highgpu-4g": "gcp-cluster",
        "gcp/a4x-maxgpu-4g-metal": "gcp-cluster",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        at = f"projects/example-project/global/{name}-1a2b3c4"
        named = {
            "name": inputs.get("name", f"{name}-1a2b3c4"),
            "selfLink": at,
            "selfLinkUnique": f"{at}?uniqueId=1",
        }
        if typ.endswith("instance:Instance") and "lustre" in typ:
            return {"mountPoint": f"10.64.192.2@tcp:/{inputs['filesystem']}"}
        return {**named, "name": f"{name}-name"} if typ == "gcp:compute/instance:Instance" else named

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token == "gcp:lustre/getInstance:getInstance":
            return {"mountPoint": "10.9.0.2@tcp:/shared"}
        assert token in ("gcp:compute/getNetwork:getNetwork", "gcp:compute/getSubnetwork:getSubnetwork"), (
            token
        )
        at = f"projects/{args.get('project')}/x/{args['name']}"
        return {**args, "id": at, "selfLink": at}

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        fake = FakeGoogle(pools, reasons)
        monkeypatch.setattr("railbed.platforms.gcp.session.Session._connection", lambda session: fake)

    def template(self, run: Run, pool: str) -> dict[str, Any]:
        """Inputs of the pool's instance template."""
        (found,) = [one.inputs for one in run.of(":InstanceTemplate") if one.name == pool]
        return found

    def groups_of(self, run: Run, pool: str) -> list[dict[str, Any]]:
        """Inputs of the pool's managed instance groups."""
        found = [one for one in run.of(":InstanceGroupManager") if re.fullmatch(rf"{pool}-\d+", one.name)]
        return [one.inputs for one in found]

    def profiled(self, run: Run) -> list[Declared]:
        """Networks of an RDMA profile, and those of single rails."""
        return [
            one
            for one in run.of(":Network")
            if one.inputs.get("networkProfile") or one.name.startswith("rail-")
        ]

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        blocks = self.template(run, pool)["networkInterfaces"]
        front = {f"projects/example-project/global/front-{card}-1a2b3c4" for card in range(8)}
        kinds = ["frontend" if one[CARD] in front or "front-" in one[CARD] else "rail" for one in blocks]
        return [NicBlock(card, 0, kind) for card, kind in enumerate(kinds)]

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        used = " ".join(one[CARD] for one in self.template(run, pool)["networkInterfaces"])
        subnets = [one for one in run.of(":Subnetwork") if f"/{one.name}-1a2b3c4" in used]
        networks = {one.inputs["network"] for one in subnets}
        return [
            one
            for one in self.profiled(run)
            if f"{one.name}-id" in networks or f"default-subnet-1-{one.name}-1a2b3c4" in used
        ]

    def placement(self, run: Run, pool: str) -> list[Declared]:
        wanted = {one.get("resourcePolicies", {}).get("workloadPolicy") for one in self.groups_of(run, pool)}
        return [
            one
            for one in run.of(":ResourcePolicy")
            if wanted == {f"{one.name}-id"} and one.inputs["workloadPolicy"]["type"] == "HIGH_THROUGHPUT"
        ]

    def capacity(self, run: Run, pool: str) -> str:
        template = self.template(run, pool)
        specific = template.get("reservationAffinity", {}).get("specificReservation")
        if specific:
            assert specific["key"] == "compute.googleapis.com/reservation-name"
            (name,) = specific["values"]
            return str(name)
        return {"STANDARD": "on_demand", "SPOT": "spot"}[template["scheduling"]["provisioningModel"]]

    def size(self, run: Run, pool: str) -> int:
        return sum(int(one["targetSize"]) for one in self.groups_of(run, pool))

    def groups(self, run: Run, pool: str) -> set[str]:
        return set(self.template(run, pool)["tags"])

    def opened(self, run: Run) -> list[Open]:
        found = []
        for one in run.of(":Firewall"):
            rule = one.inputs
            tagged = rule.get("sourceTags") or []
            sources = rule.get("sourceRanges") or (["self"] if tagged == rule["targetTags"] else tagged)
            for allow in rule["allows"]:
                ports = [int(port) for port in allow.get("ports", [])] or [0, 65535]
                spans = (
                    [(ports[0], ports[-1])]
                    if allow["protocol"] == "all"
                    else [(port, port) for port in ports]
                )
                # 35.235.240.0/20 is Google's own proxy: it lets in whom IAM allows, and nothing else comes from there.
                found += [
                    Open("proxy" if source == "35.235.240.0/20" and ports == [22] else source, low, high)
                    for source in sources
                    for low, high in spans
                ]
        return found

    def public_addresses(self, run: Run) -> list[str]:
        machines = [*run.of(":InstanceTemplate"), *run.of("compute/instance:Instance")]
        return [
            one.name
            for one in machines
            if any(
                "accessConfigs" in card or "ipv6AccessConfigs" in card
                for card in one.inputs["networkInterfaces"]
            )
        ] + [one.name for one in run.of(":Address")]

    def disks(self, run: Run) -> dict[str, bool]:
        # Always encrypted at rest (docs.cloud.google.com/compute/docs/disks/disk-encryption, managed-lustre/docs/cmek).
        made = [*run.of(":InstanceTemplate"), *run.of("compute/instance:Instance"), *self.filesystems(run)]
        return {f"{one.typ} {one.name}": True for one in made}

    def tags(self, one: Declared) -> dict[str, str] | None:
        return one.inputs.get("labels", {}) if one.typ.endswith(LABELLED) else None

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of("lustre/instance:Instance")

    def user_data(self, run: Run) -> list[str]:
        machines = [*run.of(":InstanceTemplate"), *run.of("compute/instance:Instance")]
        return [one.inputs["metadata"]["user-data"] for one in machines]


VIEW = GcpView()
