"""Google Cloud: networks, cards, groups and disks of each shape."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import cases, gcp_model
from tests.program.clouds.gcp_view import VIEW, FakeGoogle
from tests.program.clouds.recording import Run

from railbed import catalog
from railbed import plan as plans
from railbed.errors import SpecError, Unsupported
from railbed.platforms import gcp
from railbed.platforms.gcp import (
    addresses,
    capacity,
    discover,
    facts,
    filesystems,
    names,
)
from railbed.platforms.gcp.session import Session

pytestmark = pytest.mark.filterwarnings(r"ignore:gcp\.:DeprecationWarning")
CARDS = {
    "a3-ultragpu-8g": (2, 8, "GVNIC", "MRDMA", 8896),
    "a4-highgpu-8g": (2, 8, "GVNIC", "MRDMA", 8896),
    "a4x-highgpu-4g": (2, 4, "GVNIC", "MRDMA", 8896),
    "a4x-maxgpu-4g-metal": (2, 8, "IDPF", "MRDMA", 4096),
}
"""Front ends, rail cards, their kinds and the front ends' MTU, as Google's blueprints have them."""
Change = Callable[[dict[str, Any]], Any]
planned = functools.partial(cases.changed, name="gcp-cluster")


def built(shape: str, monkeypatch: pytest.MonkeyPatch, change: Change = lambda data: None) -> Run:
    """The program of a small cluster of ``shape``."""
    data = cases.with_machine(cases.small("gcp"), "gcp/a3-ultragpu-8g")
    change(data)
    plan = cases.planned(data)
    if shape != "a3-ultragpu-8g":
        plan = of_shape(plan, shape)
    return cases.run(VIEW, plan, monkeypatch).run


def of_shape(plan: plans.ClusterPlan, shape: str) -> plans.ClusterPlan:
    """The same plan on another machine, whatever software that would need."""
    machine = catalog.load_machine(f"gcp/{shape}")
    pools = [
        pool.model_copy(update={"machine": machine, "rails": machine.rails, "node_gbps": machine.node_gbps})
        for pool in plan.pools
    ]
    rate = machine.nics_per_rail * machine.nic_gbps
    update = {"rails": machine.rails, "nics_per_rail": machine.nics_per_rail, "rail_gbps": rate}
    fabric = plan.fabric and plan.fabric.model_copy(update={**update, "node_gbps": machine.node_gbps})
    return plan.model_copy(update={"pools": pools, "fabric": fabric})


@pytest.mark.parametrize("shape", CARDS)
def test_cards_and_networks_of_each_shape(shape: str, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(shape, monkeypatch)
    fronts, rails, front_kind, rail_kind, mtu = CARDS[shape]
    cards = VIEW.template(run, "gpu")["networkInterfaces"]
    assert [card["nicType"] for card in cards] == [front_kind] * fronts + [rail_kind] * rails
    assert [one.inputs["mtu"] for one in run.of(":Network") if one.name.startswith("front-")] == [
        mtu
    ] * fronts
    profiles = [one.inputs["networkProfile"] for one in run.of(":Network") if "networkProfile" in one.inputs]
    ending = facts.facts().rail_profile.get(shape)
    wanted = [f"projects/example-project/global/networkProfiles/europe-west1-b-{ending}"] if ending else []
    assert profiles == wanted
    shared = shape.endswith("-metal")
    assert len({card["subnetwork"] for card in cards[fronts:]}) == (1 if shared else rails)
    assert all(card.get("stackType") == ("IPV6_ONLY" if shared else None) for card in cards[fronts:])


@pytest.mark.parametrize("shape", CARDS)
def test_the_api_s_own_model_takes_every_input(
    shape: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = built(shape, monkeypatch)
    assert [said for one in run.declared for said in gcp_model.problems(one.typ, one.inputs)] == []


def test_the_model_refuses_a_wrong_word_and_a_wrong_value(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = built("a3-ultragpu-8g", monkeypatch)
    (template,) = run.of(":InstanceTemplate")
    inputs = json.loads(json.dumps(template.inputs))
    inputs["networkInterfaces"][3]["nicType"] = "RDMA"
    assert any("'RDMA' is none of" in said for said in gcp_model.problems(template.typ, inputs))
    assert gcp_model.problems(template.typ, {**template.inputs, "machineTyp": "x"}) == [
        f"{template.typ}: InstanceProperties has no machineTyp"
    ]


def test_every_call_is_one_of_the_api_and_reads(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeGoogle(cases.members(planned()), {})
    monkeypatch.setattr(Session, "_connection", lambda session: fake)
    plan = planned()
    look = discover.PoolReader(
        Session("example-project"), "europe-west1-b", {"railbed-cluster": "pretrain-a"}
    )
    status = look.status(["h200-0-1a2b3c4"], plan.pools[0].size, {}, {}, wait=True)
    assert len(status.members) == plan.pools[0].size
    patterns = {
        (method, re.sub(r"\{\w+\}", r"[^/]+", path.removeprefix("projects/{project}/")))
        for method, path in gcp_model.methods()
    }
    for method, path, _ in fake.asked:
        assert any(method == kind and re.fullmatch(pattern, path) for kind, pattern in patterns), path
    assert {method for method, path, _ in fake.asked if "listManaged" not in path} == {"GET"}


def test_nvlink_domains_are_groups_of_eighteen(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twenty(data: dict[str, Any]) -> None:
        data["pools"][0].update(nodes=20, spares=0)

    run = built("a4x-highgpu-4g", monkeypatch, twenty)
    assert [one["targetSize"] for one in VIEW.groups_of(run, "gpu")] == [18, 2]
    (policy,) = run.of(":ResourcePolicy")
    assert policy.inputs["workloadPolicy"] == {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "1x72"}


def test_groups_stay_when_a_pool_grows() -> None:
    pool = planned().pools[0]
    sizes = {
        many: capacity.groups(pool.model_copy(update={"nodes": many, "spares": 0}))
        for many in (64, 2000, 10_000)
    }
    assert sizes == {64: [64], 2000: [2000], 10_000: [2000] * 5}


def test_a_shape_that_is_only_reserved_is_refused_by_the_hour() -> None:
    pool = of_shape(planned(), "a4x-highgpu-4g").pools[0]
    assert capacity.scheduling(pool)["scheduling"]["provisioning_model"] == "RESERVATION_BOUND"
    hourly = planned(lambda data: data["pools"][0].update(capacity={"kind": "on_demand"})).pools[0]
    with pytest.raises(Unsupported, match="without a reservation"):
        capacity.scheduling(hourly.model_copy(update={"machine": pool.machine}))


def test_running_nodes_are_never_touched_by_a_changed_template(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (group,) = VIEW.groups_of(built("a3-ultragpu-8g", monkeypatch), "gpu")
    assert group["updatePolicy"]["type"] == "OPPORTUNISTIC"
    assert "autoHealingPolicies" not in group
    assert group["waitForInstances"] is False


def test_a_renamed_pool_and_filesystem_are_the_same_ones(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(data: dict[str, Any]) -> None:
        data["pools"][0].update(formerly="old")
        data["filesystems"][0].update(formerly="oldfs")

    run = built("a3-ultragpu-8g", monkeypatch, renamed)
    (group,) = run.of(":InstanceGroupManager")
    (lustre,) = VIEW.filesystems(run)
    assert [alias.name for alias in group.options.aliases] == ["old-0"]
    assert [alias.name for alias in lustre.options.aliases] == ["oldfs"]
    assert group.options.ignore_changes == ["baseInstanceName", "description"]


def test_tenants_have_tags_of_their_own_however_long_their_names() -> None:
    plan = planned(name="gcp-hosts")
    long = "a" * 50
    tags = {names.tag(plan, "s", tenant) for tenant in ("", "alpha", "beta", long + "1", long + "2")}
    assert len(tags) == 5
    assert all(len(tag) <= 63 and re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", tag) for tag in tags)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("network_cidr", "10.64.0.0/24", "do not fit"), ("network_cidr", "100.64.0.0/16", "overlaps the rails")],
)
def test_networks_that_are_too_small_or_taken_are_refused(key: str, value: str, said: str) -> None:
    plan = planned(lambda data: data["platform"].update({key: value}))
    with pytest.raises(SpecError, match=said):
        addresses.frontend(plan, plan.place, 0)  # type: ignore[arg-type]
        addresses.rail(plan, plan.place, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        ("a3-megagpu-8g", "pd-ssd"),
        ("a3-ultragpu-8g", "hyperdisk-balanced"),
        ("a4x-maxgpu-4g-metal", "hyperdisk-balanced"),
        ("c4a-standard-16", "hyperdisk-balanced"),
        ("n2-standard-16", "pd-balanced"),
    ],
)
def test_boot_disks_are_those_that_googles_blueprints_give_the_shape(machine: str, kind: str) -> None:
    assert facts.disk_type(machine) == kind


def test_a_filesystem_is_a_whole_number_of_steps() -> None:
    def sized(tib: float, rate: int) -> Change:
        return lambda data: data["filesystems"][0].update(capacity_tib=tib, mbytes_per_s_per_tib=rate)

    for tib, rate, gib in ((17.58, 1000, 18_000), (35.16, 500, 36_000), (175.78125, 500, 180_000)):
        assert filesystems.gib(planned(sized(tib, rate)).filesystems[0]) == gib
    with pytest.raises(SpecError, match="sold in steps"):
        planned(sized(20.0, 500))


def test_rails_that_need_an_absent_plugin_are_refused(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        Unsupported, match=r"rails of gcp/a3-megagpu-8g: gvnic needs GPUDirect-TCPXO"
    ) as refused:
        built("a3-megagpu-8g", monkeypatch)
    assert refused.value.path == "railbed:cluster.pools[0].machine"


def test_rails_ask_nothing_of_google_s_services(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subnets = built("a3-ultragpu-8g", monkeypatch).of(":Subnetwork")
    private = {one.name: one.inputs["privateIpGoogleAccess"] for one in subnets}
    assert {on for name, on in private.items() if name.startswith("rail-")} == {False}
    assert {on for name, on in private.items() if name.startswith("front-")} == {True}


def test_importing_the_table_loads_no_sdk() -> None:
    code = (
        "import sys; import railbed.platforms.gcp.support, railbed.platforms.gcp.facts; "
        "assert not {'pulumi_gcp', 'google.auth', 'pulumi_aws', 'pulumi_azure_native'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(gcp.__file__).parents[3])


def test_importing_the_platform_loads_no_other_sdk() -> None:
    code = (
        "import sys; import railbed.platforms.gcp.platform, railbed.platforms.gcp.preflight; "
        "assert not {'pulumi_aws', 'pulumi_azure_native', 'pulumi_oci', 'boto3', 'oci', 'azure'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(gcp.__file__).parents[3])
