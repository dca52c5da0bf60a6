"""What was observed of nodes: kept beside the contract, and what is rendered from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import sealed
from tests.support.node_trees import Driver, Tree, kind, wanted

from railbed.catalog import load_machine
from railbed.configure import converge, observing, playbook
from railbed.configure.inventory import Paths, build
from railbed.configure.runner import Run
from railbed.contract import Contract, Identity, Node, Rail, as_observed
from railbed.contract import wanted as contract_wanted
from railbed.effects import observations
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError
from railbed.hardware import Document, NodeFacts, facts, read
from railbed.hardware.facts import kept, ranges
from railbed.run import Result
from railbed.validate.node.observe import NO_DOMAIN, observe

PATHS = Paths(ssh_config=Path("/x/ssh/config"), secrets=Path("/x/secrets"))
NODE = "h100-0"


def of_kind(contract: Contract, name: str) -> Contract:
    """The contract, its compute nodes machines of that kind with routed rails whose cards nobody named."""
    known = load_machine(kind(name)["machine"])
    machine = contract.machines[0].model_copy(
        update={
            "key": known.key, "transport": known.transport, "gpus": known.gpus, "rails": known.rails,
            "nics_per_rail": known.known_nics_per_rail, "nic_gbps": known.known_nic_gbps, "stands_for": "", "scale": 1.0,
        }
    )  # fmt: skip

    def changed(node: Node) -> Node:
        if not node.rails:
            return node
        rails = [
            Rail(
                index=i,
                address=f"10.91.{i}.{node.address.rsplit('.', 1)[1]}/31",
                mtu=9000,
                rate_gbps=400.0,
                nics=[],
            )
            for i in range(known.rails)
        ]
        size = {"cpus": known.cpus, "memory_mib": known.memory_mib}
        return node.model_copy(update={"machine": known.key, "rails": rails, **size})

    nodes = [changed(node) for node in contract.nodes]
    return sealed(contract.model_copy(update={"machines": [machine], "nodes": nodes, "hosts": "machine"}))


@pytest.fixture
def roce(contract: Contract) -> Contract:
    return of_kind(contract, "hgx-h100-roce")


@pytest.fixture
def seen(tmp_path: Path, roce: Contract) -> NodeFacts:
    one = kind("hgx-h100-roce")
    return facts(Tree(tmp_path / "tree", one).observation(), wanted(one), roce.node(NODE).identity.value)


@pytest.mark.parametrize(
    ("chassis", "told", "block"),
    [
        ("OracleCloud.com", "ocid1.block.one\n", "ocid1.block.one"), ("OracleCloud.com", None, ""), ("Other", "x", ""),
        ("OracleCloud.com", "<html>no such page</html>", ""), ("OracleCloud.com", "x" * 300, ""),
    ],
)  # fmt: skip
def test_a_node_of_oracle_asks_where_it_is(
    tmp_path: Path, chassis: str, told: str | None, block: str
) -> None:
    tree = Tree(tmp_path, kind("oci-h100"))
    tree.write("/sys/class/dmi/id/chassis_asset_tag", f"{chassis}\n")
    probe = Driver(str(tmp_path), tree.table)
    probe.block = told
    assert read(Document.model_validate(observe(probe))).block == block


DOMAIN = "8a3b1c5e-0f21-4c6d-9d1e-1f2a3b4c5d6e"


@pytest.mark.parametrize(
    ("gpu", "told", "block"),
    [
        ("NVIDIA GB200", f"{DOMAIN}, 32766\n" * 4, f"{DOMAIN}.32766"),
        ("NVIDIA GB200", f"{DOMAIN}, 1\n{DOMAIN}, 2\n", ""), ("NVIDIA GB200", f"{NO_DOMAIN}, 0\n" * 4, ""),
        ("NVIDIA GB200", "Field \"fabric.clusterUuid\" is not a valid field to query.\n", ""),
        ("NVIDIA GB300", "[N/A], [N/A]\n", ""), ("NVIDIA H100 80GB HBM3", f"{DOMAIN}, 0\n", ""),
    ],
)  # fmt: skip
def test_nodes_of_one_nvlink_domain_are_one_block_where_no_provider_tells_more(
    tmp_path: Path, gpu: str, told: str, block: str
) -> None:
    """Made by hand: the form is that of nvidia.github.io/k8s-test-infra/guides/topograph."""
    tree = Tree(tmp_path, kind("hgx-h100-roce"))
    tree.table = tree.table.replace("NVIDIA H100 80GB HBM3", gpu)
    probe = Driver(str(tmp_path), tree.table)
    probe.domain = told
    assert gpu in tree.table and read(Document.model_validate(observe(probe))).block == block


def test_blocks_that_only_nodes_are_told_are_numbered(contract: Contract) -> None:
    names = [node.name for node in contract.nodes if node.rails]
    flat = [node.model_copy(update={"scalable_unit": 0}) for node in contract.nodes]
    made = sealed(contract.model_copy(update={"nodes": flat}))

    def seen(*blocks: str) -> dict[str, NodeFacts]:
        pairs = zip(names, blocks, strict=False)
        return {
            name: NodeFacts(identity=made.node(name).identity.value, block=block) for name, block in pairs
        }

    def units(made: Contract, facts: dict[str, NodeFacts]) -> list[int]:
        return [node.scalable_unit for node in as_observed.named(made, facts).nodes if node.rails]

    assert units(made, seen("b", "a"))[:2] == [2, 1]
    assert units(made, seen("b", ""))[:2] == [1, 0], "a node that is told nothing is in no block"
    assert units(made, {}) == [0] * len(names)
    placed = [node.model_copy(update={"scalable_unit": 7}) for node in made.nodes]
    known = sealed(made.model_copy(update={"nodes": placed}))
    assert set(units(known, seen("b", "a"))) == {7}, "what the provider's API told stays"


def test_names_cores_and_memory_are_the_nodes_own(roce: Contract, seen: NodeFacts) -> None:
    made = build(roce, {}, PATHS, observed={NODE: seen})
    own = made.hostvars[NODE]
    assert [nic["netdev"] for nic in own["railbed_nics"]][:2] == ["enp24s0np0", "enp64s0np0"]
    assert [nic["device"] for nic in own["railbed_nics"]] == kind("hgx-h100-roce")["rails"]
    assert [route["netdev"] for route in own["railbed_rail_routes"]][-1] == "enp220s0np0"
    assert made.groups["rails_routed"] == [NODE]
    jobs = {one["name"]: one for one in json.loads(made.variables["railbed_job_nodes"])}
    assert (
        jobs[NODE] | {"cpus": 224, "sockets": 2, "cores_per_socket": 56, "threads_per_core": 2} == jobs[NODE]
    )
    assert jobs[NODE]["memory_mib"] == int(2_063_856 * 0.95)
    assert jobs[NODE]["gpu_cores"] == [{"gpus": "0-3", "cores": "0-55"}, {"gpus": "4-7", "cores": "56-111"}]
    assert made.contract == roce.hash


def test_roce_rails_that_nobody_named_are_refused_with_what_was_seen(roce: Contract, seen: NodeFacts) -> None:
    lost = seen.model_copy(update={"rails": [], "unproven": "7 of 8 roce cards of 400 Gb/s are there"})
    made = build(roce, {}, PATHS, observed={NODE: lost})
    assert made.groups["rails_routed"] == []
    assert made.groups["rails_unnamed"] == [NODE, "h100-1", "h100-2"]
    assert made.hostvars[NODE]["railbed_rails_unnamed"].startswith("7 of 8")
    assert made.hostvars["h100-1"]["railbed_rails_unnamed"] == "the node was not observed yet"
    assert "sockets" not in json.loads(made.variables["railbed_job_nodes"])[1]


@pytest.mark.parametrize(("up", "refused"), [(True, [NODE]), (False, [])])
def test_routed_rails_that_a_loaded_driver_leaves_ambiguous_are_refused_in_the_first_play(
    tmp_path: Path, roce: Contract, up: bool, refused: list[str]
) -> None:
    """Also where the catalogue names the RDMA devices: the interfaces are still nobody's. Without a link it may be the driver."""
    told = roce.machines[0].model_copy(update={"rdma_devices": [f"mlx5_{i}" for i in range(8)]})
    bare = [one.model_copy(update={"groups": [*one.groups, "acs_nodes"]}) for one in roce.classes]
    made, one = sealed(roce.model_copy(update={"machines": [told], "classes": bare})), kind("hgx-h100-roce")
    one["switches"][2]["nics"].append({"bus": "3e", "rdma": "mlx5_77"})
    for nic in (nic for switch in one["switches"] for nic in switch["nics"]):
        nic["up"] = up
    ground = contract_wanted.ground(made, made.node(NODE))
    seen = facts(
        Tree(tmp_path / "tree", one).observation(), wanted(one), made.node(NODE).identity.value, ground
    )
    groups = build(made, {}, PATHS, observed={NODE: seen}).groups
    assert (ground.rails_named, ground.rails_routed) == (True, True)
    assert groups["refused_nodes"] == refused and NODE in groups["rails_unnamed"]


def test_rails_whose_interfaces_the_catalogue_names_are_left_to_it(roce: Contract) -> None:
    told = roce.machines[0].model_copy(update={"netdevs": [f"rail{i}" for i in range(8)]})
    made = sealed(roce.model_copy(update={"machines": [told]}))
    assert not contract_wanted.ground(made, made.node(NODE)).rails_routed
    unaddressed = [
        n.model_copy(update={"rails": [r.model_copy(update={"address": ""}) for r in n.rails]})
        for n in roce.nodes
    ]
    other = sealed(roce.model_copy(update={"nodes": unaddressed}))
    assert not contract_wanted.ground(other, other.node(NODE)).rails_routed


def test_devices_keep_the_kernels_names_only_where_the_catalogue_says_those(roce: Contract) -> None:
    assert build(roce, {}, PATHS).hostvars[NODE]["railbed_rdma_named"] is False
    told = roce.machines[0].model_copy(update={"rdma_devices": [f"mlx5_{i}" for i in range(8)]})
    said = sealed(roce.model_copy(update={"machines": [told]}))
    assert build(said, {}, PATHS).hostvars[NODE]["railbed_rdma_named"] is True


def test_another_machine_under_the_name_was_not_observed(roce: Contract, seen: NodeFacts) -> None:
    node = roce.node(NODE).model_copy(update={"identity": Identity(kind="serial", value="another")})
    assert as_observed.known(node, {NODE: seen}) is None


def test_memory_is_at_most_nominal(roce: Contract, seen: NodeFacts) -> None:
    more = seen.model_copy(update={"memory_mib": 9_000_000})
    jobs = json.loads(build(roce, {}, PATHS, observed={NODE: more}).variables["railbed_job_nodes"])
    assert jobs[0]["memory_mib"] == roce.node(NODE).memory_mib


def test_a_card_that_died_keeps_its_rails_name(seen: NodeFacts) -> None:
    now = seen.model_copy(update={"rails": [], "unproven": "7 of 8", "memory_mib": 1})
    assert kept(seen, now).rails == seen.rails
    assert (kept(seen, now).unproven, kept(seen, now).memory_mib) == ("7 of 8", 1)
    assert kept(seen, now.model_copy(update={"identity": "another"})).rails == []
    assert kept(None, now).rails == []


def test_what_the_scheduler_was_told_of_a_node_that_takes_jobs_stays(seen: NodeFacts) -> None:
    """Slurm ends the jobs of a node whose sockets or cores are said otherwise."""
    lost_a_core = seen.model_copy(update={"cpu": None, "memory_mib": 1})
    settled = kept(seen, lost_a_core, settled=True)
    assert (settled.cpu, settled.memory_mib, settled.gpu_cores) == (seen.cpu, seen.memory_mib, seen.gpu_cores)
    never_told = kept(None, seen, settled=True)
    assert (never_told.cpu, never_told.memory_mib, never_told.gpu_cores) == (None, None, [])
    assert never_told.rails == seen.rails, "names are not the scheduler's"
    assert kept(seen, lost_a_core).cpu == seen.cpu, (
        "of a node without jobs too: sockets that differ are no answer"
    )


def test_only_a_run_on_all_nodes_changes_the_schedulers_files(
    roce: Contract, work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path / "tree", kind("hgx-h100-roce"))
    Nodes(monkeypatch, json.dumps(observe(Driver(str(tree.root), tree.table))))
    names = [node.name for node in roce.nodes]
    observing.refresh(roce, work, [NODE], whole=False)
    assert observations.read(work)[NODE].cpu is None
    work.accepted.write({NODE: roce.node(NODE).identity.value})
    observing.refresh(roce, work, names, whole=True)
    known = observations.read(work)
    assert known[NODE].cpu is None and known["h100-1"].cpu is not None


def test_infiniband_has_device_names_and_no_interfaces_to_judge(contract: Contract, tmp_path: Path) -> None:
    """Its interfaces carry no IP that anybody configures; without an MTU none is compared."""
    one = kind("hgx-h100-ib")
    made = of_kind(contract, "hgx-h100-ib")
    bare = {"address": "", "mtu": 0}
    nodes = [
        node.model_copy(update={"rails": [rail.model_copy(update=bare) for rail in node.rails]})
        for node in made.nodes
    ]
    made = sealed(made.model_copy(update={"nodes": nodes}))
    seen = facts(Tree(tmp_path / "ib", one).observation(), wanted(one), made.node(NODE).identity.value)
    own = build(made, {}, PATHS, observed={NODE: seen}).hostvars[NODE]
    assert [nic["device"] for nic in own["railbed_nics"]] == one["rails"]
    assert {nic["netdev"] for nic in own["railbed_nics"]} == {""}
    assert {rail["netdev"] for rail in json.loads(own["railbed_expectations"])["rails"]} == {""}


def test_cores_follow_the_numbers_of_device_files(seen: NodeFacts, tmp_path: Path) -> None:
    one = kind("hgx-h100-roce")
    tree = Tree(tmp_path / "other", one)
    first, last = sorted(tree.gpus)[0], sorted(tree.gpus)[-1]
    place = "/proc/driver/nvidia/gpus/{}/information"
    tree.write(place.format(first), "Device Minor: \t 7\n")
    tree.write(place.format(last), "Device Minor: \t 0\n")
    swapped = facts(tree.observation(), wanted(one), "id")
    assert (swapped.gpu_cores[0], swapped.gpu_cores[7]) == (seen.gpu_cores[7], seen.gpu_cores[0])
    tree.write(place.format(first), "Device Minor: \t unknown\n")
    assert facts(tree.observation(), wanted(one), "id").gpu_cores == []


class Nodes:
    """Nodes that print a tree's document, or nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
        self.answers: dict[str, Result] = {}
        self.printed = printed
        monkeypatch.setattr(Remote, "run", self.run)

    def run(self, node: str, command: str, **_: Any) -> Result:
        assert "observe.py" in command
        return self.answers.get(node, Result((), 0, self.printed, ""))


def test_a_node_that_is_silent_is_rendered_as_it_was(
    roce: Contract, work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path / "tree", kind("hgx-h100-roce"))
    nodes = Nodes(monkeypatch, json.dumps(observe(Driver(str(tree.root), tree.table))))
    names = [node.name for node in roce.nodes]
    observing.refresh(roce, work, names, whole=True)
    first = build(roce, {}, PATHS, observed=observations.read(work))
    assert sorted(observations.read(work)) == ["h100-0", "h100-1", "h100-2"]
    assert observing.without_devices(roce, work, names) == []
    nodes.answers = {"h100-0": Result((), 255, "", "no route"), "h100-1": Result((), 0, "garbage", "")}
    observing.refresh(roce, work, names, whole=True)
    again = build(roce, {}, PATHS, observed=observations.read(work))
    assert (again.hostvars, again.variables) == (first.hostvars, first.variables)
    observations.forget(work, ["h100-0"])
    assert sorted(observations.read(work)) == ["h100-1", "h100-2"]


def test_a_node_without_drivers_gets_them_first(
    roce: Contract, work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {**kind("hgx-h100-roce"), "others": []}
    for switch in one["switches"]:
        switch["nics"] = []
    tree = Tree(tmp_path / "tree", one)
    Nodes(monkeypatch, json.dumps(observe(Driver(str(tree.root), tree.table))))
    observing.refresh(roce, work, ["ctl0", "h100-1"], whole=False)
    assert observing.without_devices(roce, work, ["ctl0", "h100-0", "h100-1"]) == ["h100-1"]


def test_containers_are_not_looked_at(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes(monkeypatch, "")
    nodes.answers = {}
    observing.refresh(contract, work, [node.name for node in contract.nodes], whole=True)
    assert not work.observed_file.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"h100-0": 1}', '{"h100-0": {"identity": 5}}'])
def test_a_damaged_record_is_refused(work: Workspace, text: str) -> None:
    work.observed_file.write_text(text)
    with pytest.raises(ContractError) as refused:
        observations.read(work)
    assert "look" in str(refused.value.hint)


def test_numbers_as_ranges() -> None:
    assert ranges([8, 0, 1, 2, 3]) == "0-3,8"
    assert ranges([]) == ""


@pytest.mark.parametrize("bare", [[], ["h100-1"]])
def test_drivers_come_first_only_where_devices_are_missing(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch, bare: list[str]
) -> None:
    runs: list[tuple[list[str], str]] = []
    looked: list[list[str]] = []

    def play(*given: Any, options: str, take: Any, **_: Any) -> Run:
        runs.append((given[3], options))
        take({"event": "playbook_on_stats", "event_data": {}})
        return Run("successful", work.dir / "log")

    def refresh(_: Contract, __: Workspace, names: list[str], *, whole: bool, on_event: Any) -> bool:
        assert whole
        looked.append(list(names))
        return True

    monkeypatch.setattr(playbook, "play", play)
    monkeypatch.setattr(observing, "refresh", refresh)
    monkeypatch.setattr(observing, "without_devices", lambda *_: bare)
    converge(contract, work)
    every = ["ctl0", "h100-0", "h100-1", "h100-2"]
    first = [(bare, "--tags base,packages,nvidia_driver,rdma")] if bare else []
    assert runs == [*first, (every, "")]
    assert looked == ([every, bare] if bare else [every])
    runs.clear()
    converge(contract, work, check=True)
    assert [options for _, options in runs] == ["--check --diff"], "looking is not writing nothing"
