"""From verdicts to culprits: one fault, one culprit, with every claim that it explains."""

from __future__ import annotations

from typing import Any

from railbed import blame
from railbed.claims import Judged, Verdict

FAIL, UNPROVEN, PASS = Verdict.FAIL, Verdict.UNPROVEN, Verdict.PASS


def judged(
    claim: str, node: str = "", verdict: Verdict = FAIL, reason: str = "because", **detail: Any
) -> Judged:
    return Judged(claim=claim, node=node, verdict=verdict, reason=reason, detail=detail)


def rail(index: int, node: str, verdict: Verdict = FAIL) -> Judged:
    return judged(f"fabric.rail.{index}.bandwidth", node, verdict, parts=[f"rail {index}"])


def named(claims: list[Judged]) -> dict[tuple[str, str], list[str]]:
    return {(c.node, c.part): c.claims for c in blame.culprits(claims)}


def test_nothing_failed_nobody_is_blamed() -> None:
    assert blame.culprits([]) == []
    assert (
        blame.culprits(
            [rail(3, "a", PASS), judged("storage.read", verdict=UNPROVEN, reason="nothing measured it")]
        )
        == []
    )


def test_collectives_over_a_slow_rail_are_added_to_it() -> None:
    found = named(
        [
            rail(3, "b"),
            rail(3, "a", PASS),
            judged("collective.all_reduce@4", nodes=["a", "b", "c", "d"]),
            judged("fabric.all_rails", nodes={"a": {"out": 1.0}}),
            judged(
                "collective.all_gather@2", verdict=UNPROVEN, reason="blocked by fabric.rail.3.bandwidth on b"
            ),
        ]
    )
    assert found == {
        ("b", "rail 3"): [
            "fabric.rail.3.bandwidth", "collective.all_reduce@4", "fabric.all_rails", "collective.all_gather@2",
        ]
    }  # fmt: skip


def test_a_collective_without_the_guilty_node_is_not_explained_by_it() -> None:
    found = named(
        [
            rail(3, "b"),
            judged("collective.all_reduce@2", nodes=["c", "d"]),
            judged("collective.all_reduce@3", nodes=["b", "c", "d"]),
        ]
    )
    assert found[("b", "rail 3")] == ["fabric.rail.3.bandwidth", "collective.all_reduce@3"]
    assert ("", "fabric") in found


def test_a_collective_alone_blames_the_node_that_all_failures_share() -> None:
    claims = [
        judged("collective.all_reduce@2", nodes=["a", "b"], verdict=PASS),
        judged("collective.all_reduce@3", nodes=["a", "b", "c"]),
    ]
    (culprit,) = blame.culprits(claims)
    assert (culprit.node, culprit.part, culprit.confidence) == ("c", "node", blame.INFERRED)
    claims[0] = judged("collective.all_reduce@2", nodes=["a", "b"])
    assert list(named(claims)) == [("", "fabric")]


def test_a_cluster_is_blamed_with_the_list_of_what_could_not_be_told_apart() -> None:
    (fabric,) = blame.culprits([judged("collective.all_reduce@3", nodes=["a", "b", "c"])])
    assert (fabric.node, fabric.part) == ("", "fabric")
    assert fabric.not_separated == ["a", "b", "c", "the switches between them"]
    rates = {"a": {"out": 0.7, "in": 0.8}, "b": {"out": 0.8, "in": 0.8}}
    slow = judged("fabric.all_rails", rates=rates).model_copy(update={"floor": 0.75})
    assert blame.culprits([slow])[0].not_separated == ["a", "the switches between them"]
    read = judged("storage.read", clients={"a": 10.0, "b": 90.0}).model_copy(update={"floor": 20.0})
    assert blame.culprits([read])[0].not_separated == ["a", "the filesystem's servers"]
    assert blame.culprits([rail(3, "b")])[0].not_separated == []


def test_whatever_fails_the_cluster_is_never_blamed_without_that_list() -> None:
    for claim in (
        "fabric.all_rails",
        "collective.alltoall@2",
        "storage.write",
        "job.resume",
        "job.checkpoint",
    ):
        (culprit,) = blame.culprits([judged(claim)])
        assert culprit.node == "" and culprit.not_separated


def test_a_missing_gpu_and_what_follows() -> None:
    found = named(
        [
            judged("node.gpus", "b", reason="7 of 8 GPUs listed; missing: gpu 5", parts=["gpu 5"]),
            judged("scheduler.state", guilty_nodes=["b"], reason="b: DRAINED (gpus: 7 of 8)"),
            judged("job.resume", verdict=UNPROVEN, reason="blocked: b is DRAINED (gpus: 7 of 8)"),
            judged("collective.all_reduce@4", verdict=UNPROVEN, reason="blocked: b is DRAINED"),
        ]
    )
    assert found == {
        ("b", "gpu 5"): ["node.gpus", "scheduler.state", "job.resume", "collective.all_reduce@4"]
    }


def test_a_reason_names_the_gpu_where_no_part_is_given() -> None:
    assert list(named([judged("node.gpus", "b", reason="missing: gpu 5")])) == [("b", "gpu 5")]


def test_a_foreign_driver_hides_the_gpus() -> None:
    found = named(
        [
            judged("node.driver", "b", parts=["driver"]),
            judged("node.gpus", "b", parts=["gpu"]),
            judged("node.gpus", "c", verdict=UNPROVEN, reason="blocked by node.driver: nvidia-smi says 'no'"),
        ]
    )
    assert found == {("b", "driver"): ["node.driver", "node.gpus"]}
    same = named(
        [
            judged("node.driver", "b", parts=["driver"]),
            judged("node.gpus", "b", UNPROVEN, "blocked by node.driver: …"),
        ]
    )
    assert same == {("b", "driver"): ["node.driver", "node.gpus"]}


def test_a_dead_data_server_explains_what_its_clients_see() -> None:
    found = named(
        [
            judged("storage.servers", parts=["storage"], guilty_nodes=["b"]),
            judged("storage.read", parts=["storage"], guilty_nodes=["a", "c"]),
            judged("storage.write"),
            judged("collective.all_reduce@4", nodes=["a", "b"]),
        ]
    )
    assert found == {
        ("b", "storage"): ["storage.servers", "storage.read", "storage.write"],
        ("", "fabric"): ["collective.all_reduce@4"],
    }


def test_a_slow_client_that_one_claim_names_is_what_the_others_point_at() -> None:
    found = named([judged("storage.write"), judged("storage.random", guilty=[["c", "storage client"]])])
    assert found == {("c", "storage client"): ["storage.random", "storage.write"]}


def test_a_client_alone_is_blamed_for_its_own_files() -> None:
    assert list(named([judged("storage.read", parts=["storage"], guilty_nodes=["c"])])) == [("c", "storage")]


def test_a_node_that_only_the_scheduler_complains_of() -> None:
    found = named([rail(3, "b"), judged("scheduler.state", guilty_nodes=["b", "c"])])
    assert found == {
        ("b", "rail 3"): ["fabric.rail.3.bandwidth", "scheduler.state"],
        ("c", "scheduler"): ["scheduler.state"],
    }


def test_byte_counters_name_their_rails() -> None:
    counters = judged("fabric.transport", guilty=[["a", "rail 2"]])
    assert named([counters]) == {("a", "rail 2"): ["fabric.transport"]}
    assert named([rail(2, "a"), counters]) == {
        ("a", "rail 2"): ["fabric.rail.2.bandwidth", "fabric.transport"]
    }


def test_a_rail_that_its_interface_and_its_rate_tell_is_one_culprit() -> None:
    found = named([judged("node.nics", "a", parts=["rail 2"]), rail(2, "a")])
    assert found == {("a", "rail 2"): ["node.nics", "fabric.rail.2.bandwidth"]}


def test_other_checks_blame_what_they_are_about() -> None:
    assert list(named([judged("node.time", "a"), judged("node.packages", "b")])) == [
        ("a", "time"),
        ("b", "packages"),
    ]


def test_what_a_job_of_somebody_blocks_is_nobodys_fault() -> None:
    found = named(
        [
            rail(3, "b"),
            judged("collective.all_reduce@4", verdict=UNPROVEN, reason="blocked by job 7 of ops on c"),
        ]
    )
    assert found == {("b", "rail 3"): ["fabric.rail.3.bandwidth"]}


def test_clocks_that_are_wrong_everywhere_are_one_fault() -> None:
    claims = [judged("node.time", name) for name in "abc"]
    (culprit,) = blame.culprits([*claims, judged("node.time", "d", PASS)])
    assert (culprit.node, culprit.part) == ("", "time")
    assert culprit.not_separated == ["a", "b", "c", "the source that they follow"]
    assert len(blame.culprits([*claims[:2], *(judged("node.time", name, PASS) for name in "cde")])) == 2


def test_a_verdict_may_name_nodes_and_parts_together() -> None:
    found = named([judged("storage.servers", guilty=[["b", "storage client"], ["c", "storage"]])])
    assert set(found) == {("b", "storage client"), ("c", "storage")}


def test_a_rail_that_is_named_leaves_nothing_to_rails_in_general() -> None:
    rails = judged("node.affinity", "a", parts=["rails"])
    found = named([rails, judged("node.nics", "a", parts=["rail 4"]), rail(4, "a")])
    assert found == {("a", "rail 4"): ["node.nics", "fabric.rail.4.bandwidth", "node.affinity"]}
    assert set(named([rails, judged("node.nics", "b", parts=["rail 4"])])) == {
        ("a", "rails"),
        ("b", "rail 4"),
    }


def test_all_rails_of_all_nodes_are_one_fault_of_the_fabric() -> None:
    every = [rail(index, node) for index in range(2) for node in "abc"]
    assert set(named(every)) == {("", "fabric")}
    assert set(named([*every[:5], rail(1, "c", PASS)])) == {("", "rail 0"), ("a", "rail 1"), ("b", "rail 1")}


def test_an_absent_mount_explains_its_client_and_no_other() -> None:
    client = judged("storage.write", guilty=[["b", "storage client"]])
    assert set(named([judged("node.mounts", "b", parts=["mounts"]), client])) == {("b", "mounts")}
    apart = named([judged("node.mounts", "a", parts=["mounts"]), client])
    assert set(apart) == {("a", "mounts"), ("b", "storage client")}
    gpu = judged("node.nvlink", "b", parts=["gpu 3"])
    assert set(named([gpu, client])) == {("b", "gpu 3"), ("b", "storage client")}


def test_what_is_blocked_further_on_in_its_reason_joins_too() -> None:
    told = "7 of 8 nodes can run it: blocked by node.nics on h100-2"
    found = named(
        [judged("node.nics", "h100-2", parts=["rail 4"]), judged("storage.checkpoint", "", UNPROVEN, told)]
    )
    assert found == {("h100-2", "rail 4"): ["node.nics", "storage.checkpoint"]}


def test_what_is_not_mounted_is_one_fault_of_the_node() -> None:
    client = judged("storage.servers", guilty=[["b", "storage client"]])
    found = named([judged("node.mounts", "b", parts=["mounts"]), client])
    assert set(found) == {("b", "mounts")}
    assert set(found["b", "mounts"]) == {"node.mounts", "storage.servers"}
