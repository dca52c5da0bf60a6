"""Every policy with what it must pass and what it must refuse, by plain calls: no engine, no cloud.

Properties are written by hand in the providers' spelling.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy
from railbed_policy import ingress, pack, rules, stack_rules
from railbed_policy.facts import Ingress, facts, table
from railbed_policy.values import UNKNOWN, found, plain

from railbed.spec.platforms import CLOUDS

WORLD, OFFICE = "0.0.0.0/0", "203.0.113.0/24"


def ssh_rules(source: str, first: int = 22, last: int = 22) -> dict[str, tuple[str, dict[str, Any]]]:
    """One rule that opens ports to ``source``, as each provider writes it."""
    span = f"{first}-{last}"
    return {
        "aws": ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
                {"cidrIpv4": source, "fromPort": first, "toPort": last, "ipProtocol": "tcp"}),
        "aws-group": ("aws:ec2/securityGroup:SecurityGroup", {"ingress": [
            {"self": True, "fromPort": 0, "toPort": 0, "protocol": "-1"},
            {"cidrBlocks": [source], "fromPort": first, "toPort": last, "protocol": "tcp"}]}),
        "azure": ("azure-native:network:NetworkSecurityGroup", {"securityRules": [
            {"access": "Deny", "direction": "Inbound", "protocol": "*", "sourceAddressPrefix": "*", "destinationPortRange": "*"},
            {"access": "Allow", "direction": "Inbound", "protocol": "Tcp", "sourceAddressPrefixes": [source],
             "destinationPortRange": span}]}),
        "gcp": ("gcp:compute/firewall:Firewall",
                {"direction": "INGRESS", "sourceRanges": [source], "allows": [{"protocol": "tcp", "ports": [span]}]}),
        "oci": ("oci:Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule",
                {"direction": "INGRESS", "protocol": "6", "source": source,
                 "tcpOptions": {"destinationPortRange": {"min": first, "max": last}}}),
        "volcengine": ("volcengine:vpc/securityGroupRule:SecurityGroupRule",
                       {"direction": "ingress", "protocol": "tcp", "cidrIp": source, "portStart": first, "portEnd": last}),
        "alicloud": ("alicloud:ecs/securityGroupRule:SecurityGroupRule",
                     {"type": "ingress", "ipProtocol": "tcp", "cidrIp": source, "portRange": f"{first}/{last}"}),
        "nebius": ("nebius:index/vpcV1SecurityRule:VpcV1SecurityRule",
                   {"access": "ALLOW", "protocol": "TCP",
                    "ingress": {"sourceCidrs": [source], "destinationPorts": [float(first)]}}),
        "openstack": ("openstack:networking/secGroupRule:SecGroupRule",
                      {"direction": "ingress", "protocol": "tcp", "remoteIpPrefix": source, "portRangeMin": first,
                       "portRangeMax": last}),
    }  # fmt: skip


KINDS = tuple(ssh_rules(OFFICE))


def ssh_rule(kind: str, *opened: Any) -> tuple[str, dict[str, Any]]:
    return ssh_rules(*opened)[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_ssh_from_the_office_passes_and_from_the_world_does_not(kind: str) -> None:
    assert list(rules.public_ssh(*ssh_rule(kind, OFFICE))) == []
    (said,) = rules.public_ssh(*ssh_rule(kind, WORLD))
    assert said.startswith("port 22 is open to 0.0.0.0/0")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nebius"])
def test_ssh_inside_a_range_counts_and_beside_it_does_not(kind: str) -> None:
    assert list(rules.public_ssh(*ssh_rule(kind, WORLD, 1, 1024)))
    assert list(rules.public_ssh(*ssh_rule(kind, WORLD, 443, 443))) == []


@pytest.mark.parametrize("token, props", [
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv6": "::/0", "ipProtocol": "-1"}),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv4": "0.0.0.0/1", "ipProtocol": "tcp", "fromPort": 22,
                                                                   "toPort": 22}),
    ("azure-native:network:SecurityRule", {"access": "Allow", "direction": "Inbound", "protocol": "*",
                                           "sourceAddressPrefix": "Internet", "destinationPortRange": "*"}),
    ("azure-native:network/v20240501:SecurityRule", {"access": "Allow", "direction": "Inbound", "protocol": "*",
                                                     "sourceAddressPrefix": "*", "destinationPortRanges": ["22", "80"]}),
    ("gcp:compute/firewall:Firewall", {"allows": [{"protocol": "all"}]}),
    ("alicloud:ecs/securityGroupRule:SecurityGroupRule", {"type": "ingress", "ipProtocol": "all", "cidrIp": WORLD,
                                                          "portRange": "-1/-1"}),
    ("openstack:networking/secGroupRule:SecGroupRule", {"direction": "ingress"}),
])  # fmt: skip
def test_the_other_ways_to_say_everybody_count_too(token: str, props: dict[str, Any]) -> None:
    assert len(list(rules.public_ssh(token, props))) == 1


@pytest.mark.parametrize("token, props", [
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"referencedSecurityGroupId": UNKNOWN, "ipProtocol": "-1"}),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv4": WORLD, "ipProtocol": "udp", "fromPort": 0,
                                                                   "toPort": 65535}),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "egress", "cidrBlocks": [WORLD], "protocol": "-1"}),
    ("gcp:compute/firewall:Firewall", {"direction": "EGRESS", "allows": [{"protocol": "all"}]}),
    ("gcp:compute/firewall:Firewall", {"sourceTags": ["own"], "allows": [{"protocol": "all"}]}),
    ("openstack:networking/secGroupRule:SecGroupRule", {"direction": "ingress", "remoteGroupId": UNKNOWN}),
    ("random:index/randomId:RandomId", {"cidrIpv4": WORLD}),
])  # fmt: skip
def test_groups_the_way_out_and_other_protocols_are_no_public_ssh(token: str, props: dict[str, Any]) -> None:
    assert list(rules.public_ssh(token, props)) == []


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_a_range_reaches_a_port_inside_it_and_no_other(first: int, last: int) -> None:
    shape = Ingress(source=("from",), ports=("ports",))
    (opening,) = ingress.openings(shape, {"from": [WORLD], "ports": [f"{first}-{last}"]})
    assert opening.reaches(22) == (first <= 22 <= last)


PUBLIC = [
    ("aws:ec2/launchTemplate:LaunchTemplate", {"networkInterfaces": [{"associatePublicIpAddress": "%s"}]}, "true", "false"),
    ("aws:ec2/eip:Eip", {"%s": "i-0"}, "instance", "domain"),
    ("gcp:compute/instanceTemplate:InstanceTemplate", {"networkInterfaces": [{"%s": [{}]}]}, "accessConfigs", "network"),
    ("oci:Core/subnet:Subnet", {"prohibitPublicIpOnVnic": "%s"}, "false", "true"),
    ("azure-native:compute:VirtualMachineScaleSet",
     {"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [{"ipConfigurations": [{"%s": {}}]}]}}},
     "publicIPAddressConfiguration", "subnet"),
    ("alicloud:ecs/instance:Instance", {"internetMaxBandwidthOut": "%s"}, "100", "0"),
    ("nebius:index/computeV1Instance:ComputeV1Instance", {"networkInterfaces": [{"%s": {}}]}, "publicIpAddress", "ipAddress"),
    ("volcengine:ecs/instance:Instance", {"%s": "eip-1"}, "eipId", "subnetId"),
    ("openstack:networking/floatingIp:FloatingIp", {"%s": "port"}, "portId", "pool"),
]  # fmt: skip


@pytest.mark.parametrize("token, form, bad, good", PUBLIC, ids=[case[0] for case in PUBLIC])
def test_no_node_gets_a_public_address(token: str, form: dict[str, Any], bad: str, good: str) -> None:
    def props(word: str) -> Any:
        return json.loads(json.dumps(form).replace("%s", word))

    assert len(list(rules.public_address(token, props(bad), "h100"))) == 1
    assert list(rules.public_address(token, props(good), "h100")) == []


def test_a_bastion_may_have_one_where_the_policy_s_settings_say_so() -> None:
    token = "openstack:networking/floatingIpAssociate:FloatingIpAssociate"
    assert list(rules.public_address(token, {}, "a-bastion-address", ["*bastion*"])) == []
    assert list(rules.public_address(token, {}, "a-node-address", ["*bastion*"]))


DATA = sorted(token for token in table() if facts(token).data)


@pytest.mark.parametrize("token", DATA)
def test_what_holds_data_is_protected(token: str) -> None:
    assert list(rules.unprotected(token, "a-scratch", True)) == []
    assert len(list(rules.unprotected(token, "a-scratch", False))) == 1
    assert list(rules.unprotected(token, "a-scratch", False, ["*-scratch"])) == []


def test_every_provider_has_a_type_that_holds_data_and_one_that_is_a_pool() -> None:
    providers = {token.split(":")[0] for token in table()}
    supports = [importlib.import_module(f"railbed.platforms.{kind}.support") for kind in CLOUDS]
    assert providers == {one.SDK.removeprefix("pulumi-") for one in supports}
    for kind in ("data", "pool"):
        assert {token.split(":")[0] for token in table() if getattr(facts(token), kind)} == providers


OURS = {"railbed-cluster": "a", "railbed-stack": "s"}


@pytest.mark.parametrize("token, good", [
    ("aws:ec2/vpc:Vpc", {"tags": OURS}),
    ("aws:autoscaling/group:Group", {"tags": [{"key": key, "value": value} for key, value in OURS.items()]}),
    ("gcp:lustre/instance:Instance", {"labels": OURS}),
    ("oci:Core/vcn:Vcn", {"freeformTags": OURS}),
    ("openstack:compute/instance:Instance", {"tags": [f"{key}={value}" for key, value in OURS.items()]}),
    ("openstack:compute/instance:Instance", {"metadata": OURS}),
])  # fmt: skip
def test_everything_that_can_be_tagged_says_whose_it_is(token: str, good: dict[str, Any]) -> None:
    assert list(rules.missing_tags(token, good)) == []
    assert list(rules.missing_tags(token, {})) == ["it lacks the tags railbed-cluster, railbed-stack"]
    assert list(rules.missing_tags("aws:ec2/route:Route", {})) == []


def resource(token: str, props: dict[str, Any], name: str = "a-h100", **more: Any) -> stack_rules.Declared:
    return stack_rules.Declared(token, name, f"urn:pulumi:s::p::{token}::{name}", props, **more)


EFA = {"networkInterfaces": [{"interfaceType": "efa"}, {"interfaceType": "efa-only"}]}
PLACED = [
    ("aws:ec2/launchTemplate:LaunchTemplate", EFA, {"placement": {"groupName": UNKNOWN}}),
    ("aws:ec2/launchTemplate:LaunchTemplate", EFA,
     {"capacityReservationSpecification": {"capacityReservationTarget": {"capacityReservationId": "cr-0"}}}),
    ("azure-native:compute:VirtualMachineScaleSet", {"sku": {"name": "Standard_ND96isr_H100_v5"}},
     {"singlePlacementGroup": True}),
    ("gcp:compute/instanceTemplate:InstanceTemplate", {"networkInterfaces": [{"nicType": "GVNIC"}, {"nicType": "MRDMA"}]},
     {"resourcePolicies": UNKNOWN}),
    ("oci:Core/instance:Instance", {"agentConfig": {"pluginsConfigs": [{"name": "Compute HPC RDMA Auto-Configuration"}]}},
     {"computeClusterId": UNKNOWN}),
    ("volcengine:ecs/instance:Instance", {"instanceType": "ecs.ebmhpcpni3l.48xlarge"}, {"hpcClusterId": "hpc-1"}),
    ("nebius:index/computeV1Instance:ComputeV1Instance", {"resources": {"preset": "8gpu-128vcpu-1600gb"}},
     {"gpuCluster": {"id": "g"}}),
]  # fmt: skip


@pytest.mark.parametrize("token, rdma, placed", PLACED, ids=[case[0] for case in PLACED])
def test_an_rdma_pool_is_placed(token: str, rdma: dict[str, Any], placed: dict[str, Any]) -> None:
    ((urn, said),) = stack_rules.unplaced([resource(token, rdma)])
    assert urn.endswith("::a-h100") and "nothing places them together" in said
    assert list(stack_rules.unplaced([resource(token, {**rdma, **placed})])) == []
    assert list(stack_rules.unplaced([resource(token, {})])) == []
    key = facts(token).tags[0]
    host = {**rdma, key: {"railbed-service": "hosts"}}
    assert list(stack_rules.unplaced([resource(token, host)])) == [], "single hosts need no neighbours"
    assert list(stack_rules.unplaced([resource(token, {**rdma, key: {"railbed-service": "cluster"}})]))


def test_an_rdma_pool_may_be_placed_by_what_uses_its_template() -> None:
    template = resource("oci:Core/instanceConfiguration:InstanceConfiguration", {"instanceDetails": {"launchDetails": {
        "agentConfig": {"pluginsConfigs": [{"name": "Compute HPC RDMA Auto-Configuration"}]}}}})  # fmt: skip
    on = frozenset([template.urn])
    network = resource(
        "oci:Core/clusterNetwork:ClusterNetwork", {"instancePools": [{"size": 66}]}, depends_on=on
    )
    pool = resource("oci:Core/instancePool:InstancePool", {"size": 66}, depends_on=on)
    elsewhere = resource("oci:Core/clusterNetwork:ClusterNetwork", {"instancePools": [{"size": 66}]})
    assert list(stack_rules.unplaced([template, network])) == []
    assert len(list(stack_rules.unplaced([template, pool]))) == 1
    assert len(list(stack_rules.unplaced([template, elsewhere]))) == 1


KNOWN = stack_rules.Known(pools=("h100",), filesystems=("scratch",))
LUSTRE, GROUP = "aws:fsx/lustreFileSystem:LustreFileSystem", "aws:autoscaling/group:Group"
HELD = [resource(LUSTRE, {"arn": "arn:fs"}, "a-scratch"), resource(GROUP, {"arn": "arn:asg"}, "a-h100")]


def test_a_change_that_loses_nothing_passes() -> None:
    assert list(stack_rules.losing(KNOWN, HELD)) == []
    renamed = [
        resource(LUSTRE, {"arn": "arn:fs"}, "a-data", formerly=frozenset(["a-scratch"])),
        resource(GROUP, {"arn": "arn:asg"}, "a-h100s", formerly=frozenset(["a-h100"])),
    ]
    assert list(stack_rules.losing(KNOWN, renamed)) == []
    new = [resource(LUSTRE, {"arn": UNKNOWN}, "a-scratch"), resource(GROUP, {"arn": UNKNOWN}, "a-h100")]
    assert list(stack_rules.losing(stack_rules.Known((), ()), new)) == [], (
        "before the first up nothing can be lost"
    )


def test_a_pool_of_several_groups_is_one_pool() -> None:
    known = stack_rules.Known(pools=("h100", "h1"), filesystems=())
    groups = [resource(GROUP, {"arn": "arn"}, name) for name in ("h100-0", "h100-1", "pool-h1")]
    assert list(stack_rules.losing(known, groups)) == []
    assert len(list(stack_rules.losing(known, groups[:2]))) == 1


@pytest.mark.parametrize("after, said", [
    ([HELD[1]], "filesystem scratch is in the stack's contract and declared no more"),
    ([HELD[0]], "pool h100 is in the stack's contract and declared no more"),
    ([resource(LUSTRE, {"arn": UNKNOWN}, "a-scratch"), HELD[1]],
     "filesystem scratch is in the stack's contract: it would be made anew"),
    ([HELD[0], resource(GROUP, {"arn": UNKNOWN}, "a-h100")], "pool h100 is in the stack's contract: it would be made anew"),
    ([resource(LUSTRE, {"arn": UNKNOWN}, "a-data"), HELD[1]], "a renamed one says `formerly: scratch`"),
])  # fmt: skip
def test_a_change_that_loses_data_or_nodes_is_refused(after: list[stack_rules.Declared], said: str) -> None:
    ((_, sentence),) = stack_rules.losing(KNOWN, after)
    assert said in sentence


def test_the_contract_says_what_there_is_to_lose(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    assert pack.known(path, []) == stack_rules.Known((), ())
    node = {"pool": "h100", "role": "compute"}
    own, bought = {"name": "lab", "data_servers": ["h100-0"]}, {"name": "scratch", "data_servers": []}
    path.write_text(json.dumps({"nodes": [node, {**node, "role": "spare"}, {"pool": "controller", "role": "controller"}],
                                "filesystems": [own, bought]}))  # fmt: skip
    assert pack.known(path, []) == KNOWN
    assert pack.known(path, ["scratch"]) == stack_rules.Known(("h100",), ())


def test_an_unknown_value_does_not_turn_a_policy_off() -> None:
    proxied = unknown_checking_proxy(
        {"groupId": UNKNOWN_STRING_VALUE, "list": [UNKNOWN_STRING_VALUE, 1], "cidrIpv4": WORLD}
    )
    props = plain(proxied)
    assert props == {"groupId": UNKNOWN, "list": [UNKNOWN, 1], "cidrIpv4": WORLD}
    assert list(rules.public_ssh("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", props))


def test_paths_go_through_lists_and_stop_at_what_is_unknown() -> None:
    value = {"a": [{"b": {"c": 1}}, {"b": UNKNOWN}, {"d": 2}], "e": []}
    assert list(found(value, "a.b.c")) == [1, UNKNOWN]
    assert list(found(value, "a.x")) == []
    assert list(found(value, "e")) == [[]]


def test_every_policy_is_mandatory_and_says_what_it_wants() -> None:
    names = [policy.name for policy in pack.policies()]
    assert names == [
        "public-ssh", "public-address", "unprotected-filesystem", "missing-tags", "unplaced-rdma-pool", "data-losing-change",
    ]  # fmt: skip
    assert all(policy.description and policy.enforcement_level is None for policy in pack.policies())
