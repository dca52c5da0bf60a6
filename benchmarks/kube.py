"""Measures a stack of many nodes on a real Kubernetes control plane; its nodes are KWOK's, on this machine.

usage: benchmarks/kube.py [--nodes 1000] [--gang 64]

Prints seconds of: reading all nodes with their jobs (what every decision of gate and drain begins with), the gate on all nodes
and off them, one drain and the node given back, and a Job of so many pods with eight GPUs each from its creation to its last pod
that runs. The first time the control plane is built. Nothing is asserted: other work on the machine decides.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.kube import building, running  # noqa: E402
from tests.kube.cluster import Cluster, pod_spec  # noqa: E402
from tests.support import kube_api, kube_objects  # noqa: E402
from tests.unit.validate.conftest import make_contract  # noqa: E402

from railbed.effects.kubernetes import api as apis  # noqa: E402
from railbed.effects.kubernetes.scheduler import KubernetesScheduler  # noqa: E402

SPACE = "benchmark"


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return round(time.monotonic() - began, 2)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--gang", type=int, default=64, help="pods of the job, each with a node's GPUs")
    given = parser.parse_args()
    names = [f"gpu-{index:04}" for index in range(given.nodes)]
    programs = building.ensure(print)
    with (
        tempfile.TemporaryDirectory(prefix="railbed-kube-") as folder,
        running.control_plane(programs, Path(folder)) as plane,
    ):
        cluster = Cluster(plane)
        cluster.namespace(SPACE)
        found: dict[str, float] = {
            "nodes": given.nodes,
            "ready_s": seconds(lambda: cluster.add_nodes(*names)),
        }
        stack = kube_objects.stack(
            make_contract(), str(cluster.kubeconfig), kube_api.CONTEXT, names,
            cluster_id=apis.cluster_id(cluster.api), namespace=SPACE,
        )  # fmt: skip
        scheduler = KubernetesScheduler(stack)
        all_nodes = [node.name for node in stack.nodes]
        cluster.job(SPACE, "gang", pod_spec(gpus=8), pods=given.gang)
        found["gang_s"] = seconds(
            lambda: cluster.until("it runs", lambda: len(cluster.running(SPACE, "job=gang")) == given.gang)
        )
        found["read_s"] = seconds(scheduler.nodes)
        found["gate_s"] = seconds(lambda: scheduler.reserve(all_nodes))
        found["release_s"] = seconds(lambda: scheduler.release(all_nodes))
        found["drain_s"] = seconds(lambda: scheduler.drain(all_nodes[-1], "benchmark"))
        found["resume_s"] = seconds(lambda: scheduler.resume(all_nodes[-1]))
        print(json.dumps({**found, "gang": given.gang, "load": round(os.getloadavg()[0])}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
