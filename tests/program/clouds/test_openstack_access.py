"""What the access rules on OpenStack let through and do not: what `up` and `destroy` ask for, and ways around the project.

The judge is a stand-in for keystonemiddleware's ("Application Credentials: access rules"): ``*`` stands for one part of a path,
``**`` for any number. What Heat does afterwards it does as the user, without these rules; the page says so.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.program.clouds import cases
from tests.program.clouds.openstack_view import VIEW

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/openstack/identities"
IDENTITIES = ("plan", "apply", "repair", "validate")


def rules(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def allows(name: str, service: str, method: str, path: str) -> bool:
    return any(
        (one["service"], one["method"]) == (service, method) and re.fullmatch(_pattern(one["path"]), path)
        for one in rules(name)
    )


def _pattern(text: str) -> str:
    return re.escape(text).replace(r"\*\*", ".*").replace(r"\*", "[^/]+")


def made(service: str, path: str, *more: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Made, read and removed; ``more``: method and path."""
    calls = [("POST", path), ("GET", f"{path}/x"), ("DELETE", f"{path}/x"), *more]
    return [(service, method, at) for method, at in calls]


NEEDS = {
    "compute/instance:Instance": made("compute", "/v2.1/servers", ("POST", "/v2.1/servers/x/action"), ("GET", "/v2.1/flavors/x")),
    "compute/serverGroup:ServerGroup": made("compute", "/v2.1/os-server-groups"),
    "networking/floatingIp:FloatingIp": made("network", "/v2.0/floatingips", ("PUT", "/v2.0/floatingips/x")),
    "networking/network:Network": made("network", "/v2.0/networks", ("PUT", "/v2.0/networks/x/tags")),
    "networking/port:Port": made("network", "/v2.0/ports", ("PUT", "/v2.0/ports/x")),
    "networking/router:Router": made("network", "/v2.0/routers", ("PUT", "/v2.0/routers/x")),
    "networking/routerInterface:RouterInterface": [
        ("network", "PUT", "/v2.0/routers/x/add_router_interface"), ("network", "PUT", "/v2.0/routers/x/remove_router_interface"),
    ],
    "networking/secGroup:SecGroup": made("network", "/v2.0/security-groups", ("PUT", "/v2.0/security-groups/x")),
    "networking/secGroupRule:SecGroupRule": made("network", "/v2.0/security-group-rules"),
    "networking/subnet:Subnet": made("network", "/v2.0/subnets", ("PUT", "/v2.0/subnets/x")),
    "orchestration/stackV1:StackV1": [
        ("orchestration", "POST", "/v1/p/stacks"), ("orchestration", "GET", "/v1/p/stacks/n/x"),
        ("orchestration", "PUT", "/v1/p/stacks/n/x"), ("orchestration", "DELETE", "/v1/p/stacks/n/x"),
    ],
    "sharedfilesystem/share:Share": made("sharev2", "/v2/shares", ("PUT", "/v2/shares/x")),
    "sharedfilesystem/shareAccess:ShareAccess": [("sharev2", "POST", "/v2/shares/x/action")],
}  # fmt: skip


def test_everything_that_up_and_destroy_ask_for_is_allowed(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cases.run(VIEW, cases.planned(cases.example("openstack-cluster")), monkeypatch).run
    types = {one.typ.removeprefix("openstack:") for one in run.declared if one.typ.startswith("openstack:")}
    asked = [call for typ in types for call in NEEDS[typ]]
    assert [call for call in asked if not allows("apply", *call)] == []


ESCALATIONS = {
    "another credential": ("identity", "POST", "/v3/users/x/application_credentials"),
    "a trust": ("identity", "POST", "/v3/OS-TRUST/trusts"),
    "a role for oneself": ("identity", "PUT", "/v3/projects/x/users/y/roles/z"),
    "a user's password": ("identity", "POST", "/v3/users/x/password"),
    "EC2 credentials": ("identity", "POST", "/v3/users/x/credentials/OS-EC2"),
    "a key pair": ("compute", "POST", "/v2.1/os-keypairs"),
    "quotas": ("compute", "PUT", "/v2.1/os-quota-sets/x"),
    "an image is replaced": ("image", "PUT", "/v2/images/x/file"),
    "an image is made": ("image", "POST", "/v2/images"),
    "a volume is taken": ("block-storage", "POST", "/v3/p/volumes/x/action"),
    "a network is shared": ("network", "POST", "/v2.0/rbac-policies"),
    "a load balancer": ("load-balancer", "POST", "/v2/lbaas/loadbalancers"),
    "secrets": ("key-manager", "GET", "/v1/secrets/x/payload"),
    "objects": ("object-store", "GET", "/v1/AUTH_x/c/o"),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not any(allows(name, *ESCALATIONS[what]) for name in IDENTITIES)


@pytest.mark.parametrize("who", IDENTITIES)
def test_access_rules_name_methods_and_never_everything(who: str) -> None:
    assert all(set(one) == {"service", "method", "path"} for one in rules(who))
    assert all(one["path"] not in ("/**", "**") for one in rules(who))
    if who in ("plan", "validate"):
        assert {one["method"] for one in rules(who)} == {"GET"}
    if who == "repair":
        assert not [one for one in rules(who) if one["method"] == "DELETE"]


@pytest.mark.parametrize("page", ["openstack", "nebius", "alicloud", "volcengine"])
def test_pages_say_administrator_where_apply_is_one(page: str) -> None:
    text = (cases.ROOT / f"docs/platforms/{page}.md").read_text()
    assert re.search("`apply` is an administrator of", text) and "least-privilege" not in text
