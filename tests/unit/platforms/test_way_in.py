"""A cluster that nobody could log in to is refused, wherever it is to be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan as plans
from railbed import spec
from railbed.errors import Unsupported
from railbed.platforms.cloud import jump

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PROVIDERS_OWN = ["aws", "gcp"]
NEED_A_NETWORK = ["alicloud", "azure", "nebius", "oci", "openstack", "volcengine"]


def planned(kind: str, ssh_from: list[str], **platform: Any) -> plans.ClusterPlan:
    data = yaml.safe_load((EXAMPLES / f"{kind}-cluster.yaml").read_text())["config"]["railbed:cluster"]
    data["platform"].update(platform)
    data["access"] = {"ssh_from": ssh_from}
    return plans.plan(spec.from_config(data, "test"))


@pytest.mark.parametrize("kind", NEED_A_NETWORK)
def test_a_network_of_its_own_without_a_way_in_is_refused(kind: str) -> None:
    with pytest.raises(Unsupported, match="login from nowhere") as refused:
        jump.require_way_in(planned(kind, []))
    assert refused.value.path == "railbed:cluster.access.ssh_from"
    jump.require_way_in(planned(kind, ["203.0.113.0/24"]))


@pytest.mark.parametrize("kind", PROVIDERS_OWN)
def test_a_provider_s_own_login_service_needs_no_network(kind: str) -> None:
    jump.require_way_in(planned(kind, []))


def test_a_subnet_that_is_there_may_be_joined_by_other_means() -> None:
    jump.require_way_in(planned("azure", [], network="net", subnet="net/subnets/a"))
    with pytest.raises(Unsupported):
        jump.require_way_in(planned("azure", [], network="net"))


def test_openstack_needs_an_external_network_to_come_in_by() -> None:
    with pytest.raises(Unsupported, match="no router joins"):
        jump.require_way_in(planned("openstack", ["203.0.113.0/24"], external_network=None))
