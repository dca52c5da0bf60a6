"""docs/howto/add-a-platform.md, performed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import yaml

PACKAGE = "infra/railbed/platforms/rented/"
FILES_BESIDE = 1
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExamplesAreNotKeysPutYourOwnPublicKeyHer"
SPEC: dict[str, Any] = {
    "version": 1, "name": "rented", "service": "hosts", "scheduler": "none",
    "platform": {
        "kind": "rented", "region": "here", "zone": "here", "account": "mine", "image": "ubuntu-24.04",
        "hosts": {"h100-0": "203.0.113.10", "h100-1": "203.0.113.11", "h100-2": "203.0.113.12"},
    },
    "pools": [{"name": "h100", "machine": "metal/hgx-h100", "nodes": 3}],
    "software": {"release": "2026.11"},
    "access": {"host_keys": {"h100-0": KEY, "h100-2": KEY}},
}  # fmt: skip
BUILD = """
import json, sys
from pathlib import Path
from railbed import plan, platforms, spec
from railbed.effects import local_repository, local_wheels, publishers
from railbed.effects.workspace import Workspace
from railbed.platforms.rented import platform
from railbed.platforms.site import Site

publishers.armoured = lambda keys, url, fingerprint: (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\\n\\nYQ==\\n-----END PGP PUBLIC KEY BLOCK-----\\n"
)
local_repository.ensure = lambda release, wanted, cache, say: local_repository.LocalRepository(
    "stand-in", publishers.armoured(None, "", ""), "0" * 40, {}
)
local_wheels.ensure = lambda release, wanted, lists, cache, say: "0" * 12
made = plan.plan(spec.load(Path("rented.yaml")), "rented.yaml")
json.dump(CALLED, sys.stdout)
"""
CONTRACT = 'platform.contract(made, Site(Workspace(Path(), "test")))'


def test_a_platform_is_its_package_and_the_registry(follow: Callable[..., Any]) -> None:
    tree = follow("add-a-platform", "infra/railbed", "tools", "docs/reference", "Pulumi.yaml")
    assert "**its own package\nand one file more**" in tree.page
    assert len([file for file in tree.files if not file.startswith(PACKAGE)]) == FILES_BESIDE
    (tree.root / "rented.yaml").write_text(yaml.safe_dump({"config": {"railbed:cluster": SPEC}}))

    planned = tree.railbed("plan", "--spec", "rented.yaml", "--json")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    looked = tree.railbed("preflight", "--spec", "rented.yaml", "--json")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert tree.run(sys.executable, "tools/support_table.py").returncode == 0
    assert "## Rented hosts" in (tree.root / "docs/reference/platforms.md").read_text()

    built = tree.run(sys.executable, "-c", BUILD.replace("CALLED", CONTRACT))
    assert built.returncode == 0, built.stderr
    contract = json.loads(built.stdout)
    assert [node["name"] for node in contract["nodes"]] == ["h100-0", "h100-2"]
    assert [(one["asked"], one["found"]) for one in contract["missing"]] == [(3, 2)]


def test_what_it_lacks_is_refused_with_the_way_round(follow: Callable[..., Any]) -> None:
    tree = follow("add-a-platform", "infra/railbed", "Pulumi.yaml")
    held = [{**SPEC["pools"][0], "capacity": {"kind": "reservation", "id": "some"}}]
    (tree.root / "rented.yaml").write_text(
        yaml.safe_dump({"config": {"railbed:cluster": {**SPEC, "pools": held}}})
    )
    refused = tree.run(
        sys.executable, "-c", BUILD.replace("CALLED", 'platforms.build(made, Workspace(Path(), "test"))')
    )
    assert refused.returncode == 1
    assert "Unsupported" in refused.stderr and "the provider has no API" in refused.stderr
