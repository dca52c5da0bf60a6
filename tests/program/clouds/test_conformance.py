"""One suite for all clouds: every example of each, and every machine of its vendor, under mocks. Nothing is asked of a cloud.

Each check also has a run that it must refuse: the recorded one, spoilt (``mutations``).
"""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.program.clouds import cases, checks, checks_policy, mutations
from tests.program.clouds.checks import Case
from tests.program.clouds.view import View

from railbed import catalog, errors, platforms
from railbed.configure import inventory
from railbed.effects.workspace import Workspace
from railbed.platforms.cloud.support import FEATURES, Lacks

KINDS = sorted(cases.views())
EXAMPLES = [(kind, name) for kind, view in sorted(cases.views().items()) for name in view.examples]
MACHINES = [(kind, key) for kind, view in sorted(cases.views().items()) for key in view.machines]
ALWAYS = ("oci", "gcp")
"""Clouds that encrypt every disk: nothing that is declared could leave one in clear."""
GATES = {
    "cluster": ("nebius", "openstack"),
    "hosts": ("nebius", "openstack", "azure", "alicloud", "volcengine"),
}
"""Clouds where people pass through a host that is neither node nor controller."""
ADA = cases.host_key("ada")
PER_NODE = ("nebius",)
"""Clouds without a group of instances that has a count: a resource for each node, as their support table says."""


def view_of(kind: str) -> View:
    return cases.views()[kind]


def named(kind: str, service: str) -> dict[str, Any]:
    """The spec of the cloud's example for a service."""
    return cases.example(f"{kind}-{service}")


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_every_example_holds(kind: str, name: str, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases.run(view_of(kind), cases.planned(cases.example(name)), monkeypatch)
    assert checks.findings(case) == []
    assert case.contract.missing == []
    assert (case.contract.platform, case.contract.simulated) == (kind, False)


@pytest.mark.parametrize("service", ["cluster", "hosts"])
@pytest.mark.parametrize("kind", KINDS)
def test_people_are_in_no_boot_script_but_a_gates_and_there_without_rights(
    kind: str, service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller that SSH enters by is no gate: roles configure it."""
    data = named(kind, service)
    data["access"] = {**data["access"], "admins": {"ada": ADA}}
    case = cases.run(view_of(kind), cases.planned(data), monkeypatch)
    scripts = [yaml.safe_load(script)["users"] for script in case.view.user_data(case.run)]
    gates = [users for users in scripts if len(users) > 1]
    assert scripts and len(gates) == (kind in GATES[service])
    assert all([user["name"] for user in users] == ["railbed", "ada"] for users in gates)
    assert {user["name"] for users in scripts for user in users if "sudo" in user} == {"railbed"}


@pytest.mark.parametrize(("kind", "key"), MACHINES)
def test_every_machine_of_the_vendor_holds(
    kind: str, key: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = view_of(kind)
    data = cases.with_machine(cases.example(view.machines[key]), key)
    try:
        case = cases.run(view, cases.planned(data), monkeypatch)
    except errors.Unsupported:
        # Not every machine is sold by the example's way; by the hour, then.
        case = cases.run(view, cases.planned(cases.by_the_hour(data)), monkeypatch)
    assert checks.findings(case) == []
    assert {node.machine for node in case.contract.with_role("compute", "spare")} == {key}


@pytest.mark.parametrize("kind", KINDS)
def test_every_machine_of_the_catalogue_is_in_the_view(kind: str) -> None:
    known = {key for key in catalog.keys("machines") if key.startswith(f"{kind}/")}
    assert known - set(view_of(kind).machines) <= REFUSED.get(kind, set())


REFUSED = {"aws": {"aws/p6e-gb200.36xlarge"}, "gcp": {"gcp/a3-megagpu-8g"}}
"""Machines whose layout nobody published, or whose network plugin no release installs: the platform refuses a fabric on them,
which its own tests show."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_support_table_answers_every_question(kind: str) -> None:
    table = checks.support(kind)
    assert set(table) == set(FEATURES)
    for feature, answer in table.items():
        said = (answer.reason, answer.way_round) if isinstance(answer, Lacks) else (answer,)
        assert all(text.strip() for text in said), feature


CAPACITIES = {
    "on_demand": {"kind": "on_demand"},
    "spot": {"kind": "spot"},
    "reservation": {"kind": "reservation", "ends": "2028-03-01"},
    "block": {"kind": "block", "starts": "2027-01-01", "ends": "2028-03-01"},
}


@pytest.mark.parametrize("wanted", CAPACITIES)
@pytest.mark.parametrize("kind", KINDS)
def test_capacity_is_taken_as_asked_or_refused(
    kind: str, wanted: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = cases.planned(cases.with_capacity(cases.small(kind), CAPACITIES[wanted]))
    if isinstance(checks.support(kind)[wanted], Lacks):
        with pytest.raises(errors.Unsupported):
            platforms.build(plan, Workspace(Path.cwd(), cases.STACK))
        return
    try:
        case = cases.run(view_of(kind), plan, monkeypatch)
    except errors.Unsupported:
        # Not for nodes on a fabric; then for hosts by themselves.
        hosts = cases.with_capacity(named(kind, "hosts"), CAPACITIES[wanted])
        case = cases.run(view_of(kind), cases.planned(hosts), monkeypatch)
    assert checks.capacity(case) == []
    assert checks.size(case) == []


@pytest.mark.parametrize(
    ("check", "spoil"), mutations.MUTATIONS, ids=lambda one: getattr(one, "__name__", one)
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_spoilt_run_is_found(kind: str, check: str, spoil: Any, base: dict[tuple[str, str], Case]) -> None:
    case = base[kind, "hosts" if check in ("closed", "apart") else "cluster"]
    if check == "cards" and case.view.nics(case.run, case.plan.pools[0].name) is None:
        pytest.skip("the shape decides: no card is declared")
    if check == "encrypted" and (
        kind in ALWAYS or isinstance(checks.support(kind)["encrypted_disks"], Lacks)
    ):
        pytest.skip("no argument of the provider's says whether disks are encrypted: its support table tells")
    assert checks.CHECKS[check](case) == []
    assert checks.CHECKS[check](spoil(case))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Case]:
    """A whole run of a small cluster and of the hosts, for each cloud: what the mutations start from."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        cases.checkout(tmp_path_factory.mktemp("checkout"), patch)
        for kind in KINDS:
            made[kind, "cluster"] = cases.run(view_of(kind), cases.planned(cases.small(kind)), patch)
            made[kind, "hosts"] = cases.run(view_of(kind), cases.planned(named(kind, "hosts")), patch)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_pack_has_nothing_against_it_and_knows_its_types(
    kind: str, base: dict[tuple[str, str], Case]
) -> None:
    for service in ("cluster", "hosts"):
        assert checks_policy.policed(base[kind, service]) == []
        assert checks_policy.unknown(base[kind, service]) == []
    assert checks_policy.policed(mutations.untagged(base[kind, "cluster"]))
    assert checks_policy.policed(mutations.unprotected(base[kind, "cluster"]))


def test_the_contract_has_one_shape_on_every_cloud(base: dict[tuple[str, str], Case]) -> None:
    # One of a closed set of forms, each with its own values; servers that only some providers have; what images bring; sources
    # that only some nodes build; the boot line of bare metal; and claims that only some rails leave without a measurement.
    own = (
        ".nodes.ssh.proxy", ".ntp", ".classes.image.", ".classes.boot_line", ".software.files.", ".claims.unmeasured",
    )  # fmt: skip
    shapes = {
        kind: {one for one in cases.shape(base[kind, "cluster"].run.contract) if not one.startswith(own)}
        for kind in KINDS
    }
    for kind, shape in shapes.items():
        assert shape ^ shapes[KINDS[0]] == set(), kind
    for kind in KINDS:
        made = base[kind, "cluster"].contract
        assert [(node.name, node.role) for node in made.nodes] == [
            ("ctl0", "controller"), ("gpu-0", "compute"), ("gpu-1", "compute"), ("gpu-2", "compute"), ("gpu-3", "spare"),
        ]  # fmt: skip
        assert [(one.name, one.mount) for one in made.filesystems] == [("scratch", "/scratch")]


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_know_the_metadata_service_that_users_must_not_reach(
    kind: str, base: dict[tuple[str, str], Case]
) -> None:
    special = [ipaddress.ip_network(text) for text in ("169.254.0.0/16", "100.64.0.0/10", "168.63.129.16/32")]
    made = base[kind, "cluster"].contract
    four = [one for one in map(ipaddress.ip_address, made.imds) if one.version == 4]
    assert four and all(any(one in network for network in special) for one in four)
    (claim,) = [one for one in made.claims if one.id == "node.imds"]
    assert set(claim.roles) == {node.role for node in made.nodes}


@pytest.mark.parametrize("kind", KINDS)
def test_resources_are_as_many_as_pools_not_as_nodes(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for nodes in (8, 128):
        data = cases.small(kind)
        data["pools"][0]["nodes"] = nodes
        counts.append(len(cases.run(view_of(kind), cases.planned(data), monkeypatch).run.declared))
    # With so many nodes there is a second controller, too.
    assert counts[1] - counts[0] <= (128 - 8 + 1 if kind in PER_NODE else 10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_filesystem_that_is_there_is_mounted_and_nothing_else(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(checks.support(kind)["existing_filesystem"], Lacks):
        pytest.skip("the platform refuses it, as its support table says")
    plan = cases.planned(cases.with_existing(cases.small(kind), kind))
    case = cases.run(view_of(kind), plan, monkeypatch)
    assert checks.findings(case) == []
    assert case.view.filesystems(case.run) == []
    assert plan.filesystems[0].existing


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_may_go_is_not_kept(kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cases.small(kind)
    data["filesystems"][0]["keep_on_destroy"] = False
    case = cases.run(view_of(kind), cases.planned(data), monkeypatch)
    assert [one.protected for one in case.view.filesystems(case.run)] == [False]
    assert checks.kept(case) == []


@pytest.mark.parametrize("kind", KINDS)
def test_sixty_of_sixty_four_is_a_partial_contract(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cases.small(kind)
    data["pools"][0].update(nodes=64, spares=0)
    plan = cases.planned(data)
    there = cases.members(plan)
    there["gpu"] = there["gpu"][:60]
    said = "insufficient capacity in this zone"
    case = cases.run(view_of(kind), plan, monkeypatch, there, {"gpu": [said]})
    (missing,) = case.contract.missing
    assert (missing.pool, missing.asked, missing.found) == ("gpu", 64, 60)
    assert any(said in reason for reason in missing.reasons), missing.reasons
    names = [node.name for node in case.contract.nodes if node.pool == "gpu"]
    assert names == [f"gpu-{place}" for place in range(60)]
    assert checks.findings(case) == []
    # Up again, with the other four: what there was keeps its names.
    before = {node.identity.value: node.name for node in case.contract.nodes}
    cases.keep(case)
    whole = cases.run(view_of(kind), plan, monkeypatch).contract
    assert whole.missing == []
    after = {node.identity.value: node.name for node in whole.nodes}
    assert len(after) == len(before) + 4
    assert before.items() <= after.items()


@pytest.mark.parametrize("kind", KINDS)
def test_from_sixty_three_nodes_to_sixty_four_a_second_controller_joins_the_first(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for nodes in (62, 63):
        data = cases.small(kind)
        data["pools"][0].update(nodes=nodes, spares=1)
        runs.append(cases.run(view_of(kind), cases.planned(data), monkeypatch))
        cases.keep(runs[-1])
        assert checks.findings(runs[-1]) == []
    before, after = (case.contract.with_role("controller") for case in runs)
    assert [[node.name for node in some] for some in (before, after)] == [["ctl0"], ["ctl0", "ctl1"]]
    assert after[0].identity == before[0].identity and after[1].identity != after[0].identity
    assert after[1].ssh.host_keys != after[0].ssh.host_keys
    # Nothing of what there was is called otherwise, which would make it anew, or is asked for in another way.
    one, two = ({(made.typ, made.name): made.inputs for made in case.run.declared} for case in runs)
    assert set(one) <= set(two)
    differing = {name for (typ, name), inputs in one.items() if two[typ, name] != inputs}
    assert not {name for name in differing if "ctl" in name or "controller" in name}
    grown = runs[1].contract
    hosts = inventory.build(grown, {}, inventory.Paths(Path("ssh"), Path("secrets")))
    assert [one["name"] for one in hosts.variables["railbed_controllers"]] == ["ctl0", "ctl1"]
    assert hosts.groups["slurm_controllers"] == ["ctl0", "ctl1"]


@pytest.mark.parametrize("kind", KINDS)
def test_who_replaces_a_member_takes_its_name_and_nobody_elses(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = cases.planned(cases.small(kind))
    first = cases.run(view_of(kind), plan, monkeypatch)
    cases.keep(first)
    there = cases.members(plan)
    there["gpu"] = [cases.node("gpu", 77), there["gpu"][0], *there["gpu"][2:]]
    second = cases.run(view_of(kind), plan, monkeypatch, there).contract
    old = {node.identity.value: node.name for node in first.contract.nodes}
    new = {node.identity.value: node.name for node in second.nodes}
    assert second.missing == []
    assert {name for one, name in new.items() if one not in old} == {"gpu-1"}
    assert all(old[one] == name for one, name in new.items() if one in old)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_key_is_left_out_and_so_is_one_that_nobody_saw(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(checks.support(kind)["host_keys"], Lacks):
        pytest.skip(
            "keys are read by an operator: the support table says so, and the platform's own tests show it"
        )
    plan = cases.planned(cases.small(kind))
    cases.keep(cases.run(view_of(kind), plan, monkeypatch))
    there = cases.members(plan)
    there["gpu"][1] = cases.node("gpu", 1, cases.host_key("somebody else's"))
    there["gpu"][2] = cases.node("gpu", 88, "")
    made = cases.run(view_of(kind), plan, monkeypatch, there).contract
    assert [node.name for node in made.nodes if node.pool == "gpu"] == ["gpu-0", "gpu-3"]
    (missing,) = made.missing
    assert (missing.pool, missing.asked, missing.found) == ("gpu", 4, 2)
    assert any(reason.startswith("HOST_KEY_CHANGED") for reason in missing.reasons)
    assert any("not seen" in reason for reason in missing.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_platform_lacks_is_refused_by_name(kind: str, workdir: Path) -> None:
    lacking = [name for name, answer in checks.support(kind).items() if isinstance(answer, Lacks)]
    for feature in lacking:
        data = cases.asking_for(kind, feature)
        if data is None:
            continue
        with pytest.raises(errors.RailbedError) as refused:
            platforms.build(cases.planned(data), Workspace(Path.cwd(), cases.STACK))
        assert refused.value.hint or refused.value.allowed, feature


@pytest.mark.parametrize("kind", KINDS)
def test_a_contract_is_whole_and_lean(kind: str, base: dict[tuple[str, str], Case]) -> None:
    made = base[kind, "cluster"].run.contract
    parsed = base[kind, "cluster"].contract
    assert re.fullmatch("[0-9a-f]{64}", made["mac"]), "the program gives it the stack's"
    assert len(json.dumps(made["nodes"])) / len(parsed.nodes) <= 2048


@pytest.mark.parametrize("kind", KINDS)
def test_a_fabric_that_the_machine_lacks_and_two_zones_are_refused(kind: str) -> None:
    fast = cases.small(kind)
    machine = catalog.load_machine(fast["pools"][0]["machine"])
    if machine.rate_is_known:
        fast["fabric"]["node_gbps"] = 2 * machine.node_gbps
    else:
        fast["fabric"]["rails"] = 2 * machine.rails
    with pytest.raises(errors.SpecError) as refused:
        cases.planned(fast)
    assert "fabric" in (refused.value.path or "") or "pools" in (refused.value.path or "")
    wide = cases.small(kind)
    wide["platform"]["zone"] = f"{wide['platform']['zone']},another"
    with pytest.raises(errors.SpecError, match="zone"):
        cases.planned(wide)
