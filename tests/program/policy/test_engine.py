"""The pack on the real engine, by plain `pulumi preview --policy-pack`: what it names, and what it lets through.

Program, language host and pack run as processes of their own, as they do for a user. The provider is a stand-in.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tests.program.clouds import cases
from tests.program.engine.stand_in import KIND, STORE

from railbed.effects.engine.session import environment
from railbed.effects.workspace import Workspace
from railbed.run import Result, run

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import pulumi

tags = {"railbed-cluster": "a", "railbed-stack": "s"}


def declare(token, name, protect=False, **props):
    return pulumi.CustomResource(token, name, props, pulumi.ResourceOptions(protect=protect))


group = declare("aws:ec2/securityGroup:SecurityGroup", "members", tags=tags)
BODY
"""
GOOD = """
declare("aws:fsx/lustreFileSystem:LustreFileSystem", "filesystem-scratch", protect=True, tags=tags)
placement = declare("aws:ec2/placementGroup:PlacementGroup", "placement", tags=tags, strategy="cluster")
template = declare("aws:ec2/launchTemplate:LaunchTemplate", "pool-h100", tags=tags, placement={"groupId": placement.id},
                   networkInterfaces=[{"interfaceType": "efa-only", "associatePublicIpAddress": "false"}])
declare("aws:autoscaling/group:Group", "pool-h100", tags=[{"key": k, "value": v} for k, v in tags.items()],
        launchTemplate={"id": template.id})
declare("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "office", tags=tags, securityGroupId=group.id,
        cidrIpv4="203.0.113.0/24", ipProtocol="tcp", fromPort=22, toPort=22)
"""
BAD = """
declare("aws:fsx/lustreFileSystem:LustreFileSystem", "filesystem-loose", tags=tags)
declare("aws:ec2/launchTemplate:LaunchTemplate", "pool-scattered", tags=tags,
        networkInterfaces=[{"interfaceType": "efa-only", "securityGroups": [group.id]}])
declare("aws:ec2/instance:Instance", "exposed", tags=tags, associatePublicIpAddress=True)
declare("aws:ec2/vpc:Vpc", "nobodys")
declare("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "anybody", tags=tags, securityGroupId=group.id,
        cidrIpv4="0.0.0.0/0", ipProtocol="-1")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose provider `aws` is the stand-in, installed by ``plugins:``."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        cases.checkout(folder, patch, pulumi_yaml=False)
    plugin = folder / "plugin/pulumi-resource-aws"
    plugin.parent.mkdir()
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.program.engine.stand_in "$@"\n')
    plugin.chmod(0o755)
    (folder / "Pulumi.yaml").write_text(
        f"name: policed\nmain: program/\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n"
        "plugins: {providers: [{name: aws, path: plugin}]}\n"
    )
    pulumi(folder, "stack", "init", "s")
    return folder


def pulumi(folder: Path, *words: str) -> Result:
    """Runs `pulumi` as a user of that checkout would."""
    variables = environment(Workspace(folder, "s"), print)
    variables |= {STORE: str(folder / "cloud.json"), KIND: "aws"}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "infra")])
    return run(
        ["pulumi", *words, "--non-interactive", "--color=never"], cwd=folder, env=variables, check=False
    )


def preview(folder: Path, body: str, *words: str) -> Result:
    program = folder / "program/__main__.py"
    program.parent.mkdir(exist_ok=True)
    program.write_text(PROGRAM.replace("BODY", body))
    return pulumi(folder, "preview", "--policy-pack", str(ROOT / "policy"), *words)


def test_a_good_program_passes(project: Path) -> None:
    done = preview(project, GOOD)
    assert done.ok, done.stdout + done.stderr


def test_a_bad_one_is_refused_by_pack_policy_and_resource(project: Path) -> None:
    done = preview(project, BAD)
    said = done.stdout + done.stderr
    assert not done.ok
    assert "railbed" in said
    for policy, name in (
        ("unprotected-filesystem", "filesystem-loose"), ("unplaced-rdma-pool", "pool-scattered"), ("public-address", "exposed"),
        ("missing-tags", "nobodys"), ("public-ssh", "anybody"),
    ):  # fmt: skip
        assert any(policy in line and "mandatory" in line for line in said.splitlines()), f"{policy}:\n{said}"
        assert name in said
    assert "during preview" not in said, "an unknown value must not turn a policy into a warning"


def test_a_change_that_would_lose_nodes_is_refused(project: Path) -> None:
    contract = project / "contract.json"
    node = {"pool": "b200", "role": "compute"}
    contract.write_text(
        json.dumps({"nodes": [node], "filesystems": [{"name": "scratch", "data_servers": []}]})
    )
    settings = project / "settings.json"
    settings.write_text(json.dumps({"data-losing-change": {"contract": str(contract)}}))
    done = preview(project, GOOD, "--policy-pack-config", str(settings))
    said = done.stdout + done.stderr
    assert not done.ok
    assert "pool b200 is in the stack's contract and declared no more" in said
    assert "filesystem scratch is in the stack's contract: it would be made anew" in said
    settings.write_text(
        json.dumps({"data-losing-change": {"contract": str(contract), "allowed": ["b200", "scratch"]}})
    )
    done = preview(project, GOOD, "--policy-pack-config", str(settings))
    assert done.ok, done.stdout + done.stderr
