"""Recipes of every platform: whole by what each plugin's documentation asks for,
closed to the internet, and without a secret. None was ever built in an account."""

from __future__ import annotations

import copy
import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from railbed import baking, catalog, plan, platforms, spec
from railbed.errors import SpecError, Unsupported, UsageError
from railbed.platforms.packer import recipe
from railbed.platforms.packer.plugins import plugins
from railbed.platforms.packer.template import Template, text, var
from railbed.spec.platforms import KINDS

ROOT = Path(__file__).resolve().parents[3]
REFUSED = ("lab", "kubernetes")
EXAMPLES = {kind: f"{kind}-cluster" for kind in KINDS if kind not in REFUSED} | {"alicloud": "alicloud-hosts"}
ANSIBLE = "ansible"
BASE = ("platform", "image")
SECRET = re.compile(
    r'(?i)(secret|password|access_key|token|private_key)(?!_file)\w*"?\s*[:=]|BEGIN [A-Z ]*PRIVATE KEY'
)
"""Attributes that hold a secret in one or the other plugin; a file's name is none."""


def data(name: str) -> dict[str, Any]:
    """The spec of an example."""
    found = yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text())["config"]["railbed:cluster"]
    return copy.deepcopy(found)  # type: ignore[no-any-return]


def planned(wanted: dict[str, Any]) -> plan.ClusterPlan:
    return plan.plan(spec.from_config(wanted, "test"))


@functools.cache
def files(kind: str) -> dict[str, str]:
    made = planned(data(EXAMPLES[kind]))
    return baking.recipe(made, made.pools[0])


@functools.cache
def template(kind: str) -> dict[str, Any]:
    return json.loads(files(kind)[recipe.TEMPLATE])  # type: ignore[no-any-return]


def source(kind: str) -> tuple[str, dict[str, Any]]:
    """Builder and body."""
    ((builder, named),) = template(kind)["source"].items()
    return builder, named["image"]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_template_has_what_the_plugins_documentation_asks_for(kind: str) -> None:
    builder, body = source(kind)
    plugin = plugins().plugins[builder]
    assert [name for name in plugin.required if name not in body] == []
    provisioner = next(one for one in template(kind)["build"]["provisioner"] if ANSIBLE in one)[ANSIBLE]
    assert [name for name in plugins().plugins[ANSIBLE].required if name not in provisioner] == []


@pytest.mark.parametrize("kind", EXAMPLES)
def test_plugins_are_pinned_exactly(kind: str) -> None:
    packer = template(kind)["packer"]
    wanted = packer["required_plugins"]
    assert packer["required_version"] == plugins().required_packer["value"]
    assert len(wanted) == 2 and ANSIBLE in wanted
    for one in wanted.values():
        assert re.fullmatch(r"= \d+\.\d+\.\d+", one["version"]) and one["source"].startswith("github.com/")


@pytest.mark.parametrize("kind", EXAMPLES)
def test_variables_are_declared_and_used(kind: str) -> None:
    text = files(kind)[recipe.TEMPLATE]
    declared = list(template(kind)["variable"])
    assert set(re.findall(r"\bvar\.(\w+)", text)) == set(declared)
    assert re.findall(r"^\| `(\w+)` \|", files(kind)[recipe.PAGE], re.M) == declared


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_secret_and_no_cluster_is_in_it(kind: str) -> None:
    whole = data(EXAMPLES[kind])
    text = "\n".join(files(kind).values())
    assert SECRET.search(files(kind)[recipe.TEMPLATE].replace("http_tokens", "")) is None
    variables = json.loads(files(kind)[recipe.VARIABLES])
    assert not [name for name in variables if "secret" in name or "address" in name or "known_hosts" in name]
    for key in whole.get("access", {}).get("admins", {}).values():
        assert key not in text


@pytest.mark.parametrize("name", ["secret_key", "password", "token", "private_key"])
def test_a_secret_would_be_seen(name: str) -> None:
    assert SECRET.search(text({name: "x"}))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_base_image_is_what_nodes_boot_today(kind: str) -> None:
    wanted = data(EXAMPLES[kind])["platform"]
    text = files(kind)[recipe.TEMPLATE]
    if kind == "metal":  # its nodes are installed; a disk starts from a file whose hash is compared
        _, body = source(kind)
        assert body["iso_checksum"] == "${var.base_image_checksum}" and body["disk_image"] is True
        assert "^sha256:[0-9a-f]{64}$" in text
        return
    image = wanted["image"]["id"] if isinstance(wanted["image"], dict) else wanted["image"]
    words = image.strip("/").split("/") if "/" in image else image.split(":")
    skipped = {"subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "galleries", "images", "versions",
               "projects", "global", "family"}  # fmt: skip
    assert [word for word in words if word not in skipped and f'"{word}"' not in text] == []


@pytest.mark.parametrize("kind", sorted(set(EXAMPLES) - {"metal"}))
def test_nothing_is_open_to_the_internet(kind: str) -> None:
    _, body = source(kind)
    closed = {
        "aws": body.get("ssh_interface") == "session_manager" and body.get("associate_public_ip_address") is False,
        "gcp": body.get("omit_external_ip") is True and body.get("use_iap") is True,
        "azure": "virtual_network_name" in body and "private_virtual_network_with_public_ip" not in body,
        "oci": body.get("use_private_ip") is True and body["create_vnic_details"]["assign_public_ip"] is False
        if kind == "oci" else None,
        "volcengine": body.get("associate_public_ip_address") is False,
        "alicloud": body.get("ssh_private_ip") is True and "associate_public_ip_address" not in body,
        "openstack": "floating_ip_network" not in body and "floating_ip" not in body,
        "nebius": kind == "nebius" and body["network"]["associate_public_ip_address"] is False,
    }  # fmt: skip
    assert closed[kind]


def test_amis_are_encrypted_and_of_a_known_owner() -> None:
    _, body = source("aws")
    assert body["encrypt_boot"] is True and body["launch_block_device_mappings"]["encrypted"] is True
    assert body["source_ami_filter"]["owners"] == ["${var.base_image_owner}"]
    assert body["metadata_options"]["http_tokens"] == "required"
    assert "default" not in template("aws")["variable"]["base_image_owner"], "nobody's image by default"


def test_alibaba_encrypts_and_azure_deprovisions() -> None:
    assert source("alicloud")[1]["image_encrypted"] is True
    steps = template("azure")["build"]["provisioner"]
    assert "waagent" in str(steps[-1])


def test_the_playbook_runs_on_the_machine_with_a_nodes_groups() -> None:
    steps = template("aws")["build"]["provisioner"]
    assert [next(iter(one)) for one in steps] == ["shell", ANSIBLE]
    bake = steps[1][ANSIBLE]
    assert bake["playbook_file"].endswith("/playbooks/bake.yml")
    assert {"gpu_nodes", "slurm_nodes", "rdma_nodes", "training_fetched"} <= set(bake["groups"])
    assert not [name for name in bake["groups"] if name.startswith(("pool_", "role_", "slurm_controllers"))]
    assert "ANSIBLE_INVENTORY_ENABLED=ini" in bake["ansible_env_vars"]
    variables = json.loads(files("aws")[recipe.VARIABLES])
    assert variables["railbed_machine"] == "aws/p5.48xlarge" and variables["railbed_mounts"] == [
        {"kind": "lustre"}
    ]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.yaml")))
def test_every_example_has_a_recipe_or_is_refused_with_a_way_round(name: str) -> None:
    made = planned(data(name))
    try:
        baking.recipe(made, made.pools[0])
    except Unsupported as refused:
        assert refused.hint and refused.path
        assert made.platform in REFUSED or "Lingjun" in refused.message


def test_a_pool_is_named_where_there_are_several() -> None:
    made = planned(data("alicloud-hosts"))
    assert len(made.pools) > 1
    with pytest.raises(UsageError) as refused:
        baking.pool_of(made, None)
    assert refused.value.allowed == [pool.name for pool in made.pools]
    assert baking.pool_of(made, made.pools[1].name) is made.pools[1]
    with pytest.raises(UsageError):
        baking.pool_of(made, "nobody")


def test_azure_starts_from_a_gallery_or_the_marketplace() -> None:
    wanted = data("azure-cluster")
    wanted["platform"]["image"] = "Canonical:ubuntu-24_04-lts:server:24.04.202611010"
    made = planned(wanted)
    assert "image_sku" in baking.recipe(made, made.pools[0])[recipe.TEMPLATE]
    wanted["platform"]["image"] = "/subscriptions/0/resourceGroups/g/providers/Microsoft.Compute/images/one"
    made = planned(wanted)
    with pytest.raises(SpecError, match="gallery"):
        baking.recipe(made, made.pools[0])


def test_a_value_of_the_spec_cannot_become_a_template() -> None:
    made = planned(data("aws-cluster"))
    image = made.place.image.model_copy(update={"id": 'ami-1"${file("/etc/passwd")}'})
    place = made.place.model_copy(update={"image": image})
    spoilt = made.model_copy(update={"place": place})
    text = baking.recipe(spoilt, spoilt.pools[0])[recipe.TEMPLATE]
    assert "$${file(" in text and re.search(r"(?<!\$)\$\{file", text) is None
    found = json.loads(text)["source"]["amazon-ebs"]["image"]["source_ami_filter"]["filters"]
    assert found == {"image-id": 'ami-1"$${file("/etc/passwd")}'}


@given(st.text(), st.sampled_from(["${", "%{", "$${", "$", ""]), st.text())
def test_a_text_means_itself_and_a_template_is_one(front: str, within: str, behind: str) -> None:
    value = f"{front}{within}{behind}"
    written = json.loads(text({"a": [{value: value}], "b": Template(value), "c": var("x")}))
    ((key, meant),) = written["a"][0].items()
    assert key == meant and re.search(r"(?<!\$)\$\{|(?<!%)%\{", meant) is None
    assert meant.replace("$${", "${").replace("%%{", "%{") == value
    assert (written["b"], written["c"]) == (value, "${var.x}")


def test_package_sources_are_in_it_where_their_keys_are_known() -> None:
    made = planned(data("aws-cluster"))
    assert baking.sources(made, None) == [], "a vendor's key is fetched, and nobody asked for that"
    pin = {
        "signed_by": (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text(),
        "fingerprint": "580CBAC7DFB05A91941864000995C39870050A04",
    }
    known = [one.model_copy(update={} if one.signed_by else pin) for one in made.software.repositories]
    whole = made.model_copy(update={"software": made.software.model_copy(update={"repositories": known})})
    packages = baking.sources(whole, None)
    assert [one.uri for one in packages] == [one.uri for one in known] and len(packages) > 1
    found = baking.recipe(whole, whole.pools[0], packages)
    assert "repositories_file" not in found[recipe.TEMPLATE]
    assert len(json.loads(found[recipe.VARIABLES])["railbed_repositories"]) == len(known)
    assert "repositories_file" in baking.recipe(made, made.pools[0])[recipe.TEMPLATE]


def test_writing_leaves_other_peoples_files_alone(tmp_path: Path) -> None:
    wanted = files("aws")
    assert [path.name for path in baking.write(wanted, tmp_path / "new")] == list(wanted)
    baking.write(wanted, tmp_path / "new")
    (tmp_path / "new/thesis.txt").write_text("x")
    with pytest.raises(UsageError) as refused:
        baking.write(wanted, tmp_path / "new")
    assert refused.value.found == ["thesis.txt"]


def test_a_name_is_one_that_every_provider_takes() -> None:
    made = planned(data("aws-cluster"))
    for key in catalog.keys("machines"):
        pool = made.pools[0].model_copy(update={"machine": catalog.load_machine(key)})
        assert re.fullmatch(r"[a-z][a-z0-9-]{1,59}", recipe.image_name(made, pool))


def test_refusals_come_past_the_plan_too() -> None:
    made = planned(data("aws-cluster"))
    for kind in REFUSED:
        with pytest.raises(Unsupported):
            platforms.image(made.model_copy(update={"platform": kind}), made.pools[0])
