"""The judge against simulated clusters: healthy ones hold their floors below their bounds, sick ones never pass whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.simulate import Cluster, GdrOff, NvlsOff, Rerouted, Simulator, Slow, SlowWay, Trouble

from railbed import blame
from railbed.catalog import load_machine
from railbed.claims import Judged, Verdict
from railbed.judge import nccl_log
from railbed.judge import rails as rail_law
from railbed.judge.rails import RailSample
from railbed.laws import bandwidth
from railbed.parse import nccl_tests
from railbed.units import GIB

HGX = bandwidth.of(load_machine("metal/hgx-h100"))
SIZES = [8 * GIB, 16 * GIB]


def judged(
    nodes: int, troubles: Sequence[Trouble] = (), rails: int = 8, **options: str
) -> nccl_log.Judgement:
    """The verdict on a simulated all_reduce."""
    log = Simulator(Cluster(nodes, rails=rails), troubles).log("all_reduce", SIZES, options.get("algorithm"))
    return nccl_log.judge(nccl_tests.read(log), HGX, nodes, "all_reduce", options.get("algorithm"))


def collective(judgement: nccl_log.Judgement) -> Judged:
    return next(claim for claim in judgement.claims if claim.claim.startswith("collective."))


def rails(troubles: Sequence[Trouble], nodes: int = 4, *, gpu_memory: bool = True) -> list[Judged]:
    """Every rail by itself, both ways, with every partner: the measurement that separates."""
    sim = Simulator(Cluster(nodes), troubles)
    samples = [
        RailSample(rail=rail, sender=f"node-{a}", receiver=f"node-{b}", omitted_s=1.0,
                   gbps=sim.rail_gbps(a, b, rail, gpu_memory=gpu_memory))
        for a in range(nodes) for b in range(nodes) if a != b for rail in range(8)
    ]  # fmt: skip
    expected = {rail: bandwidth.expect_rail(HGX) for rail in range(8)}
    return rail_law.judge(samples, expected, [f"node-{node}" for node in range(nodes)])


def culprits(claims: list[Judged]) -> set[tuple[str, str]]:
    return {(one.node, one.part) for one in blame.culprits(claims)}


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 8, 16, 64])
@pytest.mark.parametrize(
    ("collective", "algorithm", "law"),
    [
        ("all_reduce", None, None),
        ("all_reduce", "ring", "ring"),
        ("all_reduce", "railring", "hierarchical"),
        ("all_reduce", "tree", "tree"),
        ("all_reduce", "nvlstree", "nvlstree"),
        ("all_gather", None, None),
        ("reduce_scatter", "ring", "ring"),
        ("alltoall", None, None),
    ],
)
def test_nothing_healthy_is_above_its_bound(
    nodes: int, collective: str, algorithm: str | None, law: str | None
) -> None:
    """Two roads to the same number: the laws count what must leave a node, the simulator counts every hop."""
    if nodes == 1 and law in ("hierarchical", "tree", "nvlstree"):
        law = None
    most = bandwidth.bound(HGX, nodes, collective, law)[0]
    log = nccl_tests.read(Simulator(Cluster(nodes)).log(collective, SIZES, algorithm))
    (table,) = log.tables
    reached = table.rows[-1].out_of_place.busbw_gbytes_per_s
    assert reached is not None
    if most is not None:
        assert reached <= most * 1.0001
        assert reached >= most * (0.5 if collective == "all_gather" and nodes == 2 else 0.7)


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 6, 7, 9, 16, 31])
def test_trees_reach_the_bound_of_the_network_exactly(nodes: int) -> None:
    """A cluster whose inside is never in the way, without headers and start-up: what is left is the trees' own load."""
    unlimited = {
        "nvls_busbw_cap_gbytes_per_s": None,
        "ring_busbw_cap_gbytes_per_s": None,
        "nvlink_gbytes_per_s": None,
    }
    most = bandwidth.bound(HGX.model_copy(update=unlimited), nodes, "all_reduce", "tree")[0]
    ideal = Cluster(nodes, wire_share=1.0, nvlink_gbytes_per_s=1e6, start_s=0.0, hop_s=0.0)
    ranks, size = nodes * 8, 2**34
    reached = size / Simulator(ideal).collective_s("all_reduce", size, "tree") / 1e9 * 2 * (ranks - 1) / ranks
    assert reached == pytest.approx(most, rel=1e-9)


@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_a_healthy_cluster_passes_and_leaves_its_rails_unproven(nodes: int) -> None:
    found = judged(nodes)
    assert collective(found).verdict is Verdict.PASS
    assert collective(found).simulated
    assert found.causes == []
    assert all(claim.verdict is not Verdict.FAIL for claim in found.claims)


def test_healthy_rails_pass() -> None:
    assert {claim.verdict for claim in rails([])} == {Verdict.PASS}


DEAD = [Slow(node=1, rail=3, share=0.0)]
HALF = [Slow(node=1, rail=3, share=0.5)]
AROUND = [Rerouted(node=1, rail=3, over=2)]


@pytest.mark.parametrize("nodes", [2, 4])
def test_a_collective_over_seven_rails_passes_and_proves_no_more_than_it_can(nodes: int) -> None:
    """One rail of eight is taken out for all: two nodes show nothing of it, so the rails stay unproven."""
    found = judged(nodes, rails=7)
    assert collective(found).verdict is Verdict.PASS
    assert found.rails_proven < 8
    assert found.verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("troubles", [HALF, AROUND], ids=["half", "rerouted"])
@pytest.mark.parametrize("nodes", [2, 4])
def test_a_bad_rail_slows_everybody_and_is_among_the_causes(troubles: list[Trouble], nodes: int) -> None:
    found = judged(nodes, troubles)
    assert collective(found).verdict is Verdict.FAIL
    assert any("rail" in cause["cause"] for cause in found.causes)
    assert found.rails_proven <= 4


def test_a_dead_rail_without_a_way_around_never_ends() -> None:
    found = judged(4, DEAD)
    assert found.problems[0] == "NO_ROWS"
    assert found.verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("troubles", [DEAD, HALF, AROUND], ids=["dead", "half", "rerouted"])
def test_each_rail_by_itself_names_it(troubles: list[Trouble]) -> None:
    claims = rails(troubles)
    assert [(c.claim, c.node) for c in claims if c.verdict is Verdict.FAIL] == [
        ("fabric.rail.3.bandwidth", "node-1")
    ]
    assert {c.verdict for c in claims} == {Verdict.PASS, Verdict.FAIL}
    found = judged(4, troubles)
    assert culprits([*claims, *found.claims]) == {("node-1", "rail 3")}


def test_three_per_cent_on_one_side_of_one_rail() -> None:
    claims = rails([Slow(node=2, rail=6, share=0.96, side="in")])
    (failed,) = [c for c in claims if c.verdict is Verdict.FAIL]
    assert (failed.node, failed.claim, failed.detail["sides"]) == (
        "node-2",
        "fabric.rail.6.bandwidth",
        ["switch"],
    )


def test_a_slow_way_to_one_partner_condemns_nobody() -> None:
    """Both ends are fast with others: the path between them is slow, and their rail stays unproven."""
    claims = rails([SlowWay(node=0, partner=1, rail=5, share=0.3)])
    assert not culprits(claims)
    unproven = {(c.claim, c.node): c.reason for c in claims if c.verdict is not Verdict.PASS}
    assert set(unproven) == {("fabric.rail.5.bandwidth", "node-0"), ("fabric.rail.5.bandwidth", "node-1")}
    assert all("both hold the gate with others" in reason for reason in unproven.values())


def test_the_root_of_a_tree_hides_half_a_rail() -> None:
    """Its links carry half of what others' do: only the rail by itself shows the fault."""
    troubles = [Slow(node=0, rail=3, share=0.5)]
    assert collective(judged(4, troubles)).verdict is Verdict.PASS
    assert culprits(rails(troubles)) == {("node-0", "rail 3")}


def test_nvls_off_is_below_the_floor_of_one_node_and_no_rail_is_to_blame() -> None:
    found = judged(1, [NvlsOff()])
    assert collective(found).verdict is Verdict.FAIL
    assert collective(found).measured == pytest.approx(369, abs=3)
    assert {claim.verdict for claim in rails([NvlsOff()])} == {Verdict.PASS}


def test_gpudirect_off_shows_with_the_gpus_memory_only() -> None:
    """In the GPUs' memory all rails of the node are slow, in the host's none: the NICs and cables are good."""
    troubles = [GdrOff(node=1)]
    assert collective(judged(4, troubles)).verdict is Verdict.FAIL
    slow = {(c.node, c.claim) for c in rails(troubles) if c.verdict is Verdict.FAIL}
    assert slow == {("node-1", f"fabric.rail.{rail}.bandwidth") for rail in range(8)}
    assert culprits(rails(troubles)) == {("node-1", "node")}
    assert {c.verdict for c in rails(troubles, gpu_memory=False)} == {Verdict.PASS}


def test_a_flaky_rail_is_there_in_some_runs_only() -> None:
    sim = Simulator(Cluster(2), [Slow(probability=0.5, node=1, rail=0, share=0.5)], seed=1)
    seen = {round(sim.rail_gbps(0, 1, 0)) for _ in range(30)}
    assert seen == {196, 392}


def test_noise_moves_results_a_little_and_seeds_repeat_them() -> None:
    runs = [
        [Simulator(Cluster(2), noise=0.01, seed=seed).rail_gbps(0, 1, 0) for _ in range(1)]
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert all(abs(run[0] - 392) < 20 for run in runs)


@pytest.mark.parametrize(
    "call", [("gather", None), ("all_reduce", "mesh"), ("all_gather", "nvlstree")], ids=str
)
def test_what_is_not_simulated(call: tuple[str, str | None]) -> None:
    with pytest.raises(ValueError, match="no simulation"):
        Simulator(Cluster(2)).collective_s(call[0], 1e9, call[1])
    with pytest.raises(ValueError, match="cluster"):
        Cluster(0)
