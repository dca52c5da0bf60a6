"""What the scheduler's roles would write, host by host: configuration, memory, who may log in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.roles.conftest import Recorded, cluster, record, whole_cluster
from tests.roles.test_render import values
from tests.support.contracts import sealed

from railbed.hardware import Cpu, NodeFacts, RailNames


def test_the_scheduler_has_one_configuration_everywhere(lab: Recorded) -> None:
    for name in ("slurm.conf", "gres.conf", "topology.conf", "cgroup.conf"):
        assert len({lab.text(host, f"/etc/slurm/{name}") for host in lab.files}) == 1


def test_nodes_partition_and_health_check_of_the_scheduler(lab: Recorded) -> None:
    text = lab.text("ctl0", "/etc/slurm/slurm.conf")
    assert "SlurmctldHost=ctl0(10.90.0.10)\n" in text
    assert (
        "NodeName=h100-0 NodeAddr=10.90.0.11 CPUs=8 RealMemory=4096 Gres=gpu:8 Feature=h100 Weight=1 State=UNKNOWN\n"
        in text
    )
    assert (
        "NodeName=h100-2 NodeAddr=10.90.0.13 CPUs=8 RealMemory=4096 Gres=gpu:8 Feature=h100 Weight=1000"
        in text
    )
    assert "PartitionName=batch Nodes=h100-0,h100-1,h100-2 Default=YES" in text
    assert values(text)["HealthCheckProgram"] == "/opt/railbed/checks/healthcheck"
    assert values(text)["HealthCheckNodeState"] == "ANY,CYCLE", (
        "busy nodes too: one with a fault takes no next job"
    )
    assert "NodeName=h100-0 Name=gpu File=/dev/nvidia[0-7]\n" in lab.text("ctl0", "/etc/slurm/gres.conf")


def test_the_topology_follows_the_scalable_units(lab: Recorded) -> None:
    topology = lab.text("ctl0", "/etc/slurm/topology.conf")
    assert (
        "SwitchName=su0 Nodes=h100-0\nSwitchName=su1 Nodes=h100-1,h100-2\nSwitchName=spine Switches=su0,su1\n"
        in topology
    )


def test_cgroups_hold_jobs_only_where_the_node_has_its_own(lab: Recorded, machines: Recorded) -> None:
    container, machine = (values(one.text("ctl0", "/etc/slurm/slurm.conf")) for one in (lab, machines))
    assert (
        container["ProctrackType"] == "proctrack/linuxproc" and machine["ProctrackType"] == "proctrack/cgroup"
    )
    for one in (container, machine):
        assert one["SlurmctldParameters"] == "node_reg_mem_percent=90" and "SlurmdParameters" not in one
    assert "ConstrainDevices=yes" in machines.text("ctl0", "/etc/slurm/cgroup.conf")


CPUS = "/etc/systemd/system/slurmd.service.d/20-railbed-cpus.conf"


def test_a_container_registers_with_the_cpus_that_the_scheduler_counts_on(
    lab: Recorded, machines: Recorded
) -> None:
    assert "NodeName=h100-0 NodeAddr=10.90.0.11 CPUs=8 " in lab.text("ctl0", "/etc/slurm/slurm.conf")
    assert 'Environment="HWLOC_SYNTHETIC=package:8 core:1 pu:1"\n' in lab.text("h100-0", CPUS)
    assert CPUS not in machines.files["h100-0"] and CPUS not in lab.files["ctl0"]
    for one, absent in ((lab, []), (machines, [CPUS])):
        (asked,) = [
            task for name, task in one.asked["h100-0"].items() if name.startswith("slurm_node: Take jobs")
        ]
        assert asked["absent"] == absent and CPUS in asked["units"][0]["files"]


def test_a_controller_in_a_container_does_not_let_jobs_out_of_their_cgroups(tmp_path: Path) -> None:
    inside = {"ctl0": {"ansible_virtualization_tech_guest": ["container"]}}
    mixed = record(
        tmp_path / "checkout", whole_cluster(), container=False, tags="slurm,munge,packages", facts_of=inside
    )
    assert len({mixed.text(host, "/etc/slurm/slurm.conf") for host in mixed.files}) == 1
    assert "ConstrainDevices=yes" in mixed.text("h100-0", "/etc/slurm/cgroup.conf")


def test_memory_is_scheduled_and_a_job_that_asks_for_none_gets_that_of_its_cpus(lab: Recorded) -> None:
    said = values(lab.text("ctl0", "/etc/slurm/slurm.conf"))
    assert said["SelectTypeParameters"] == "CR_Core_Memory" and said["DefMemPerCPU"] == str(4096 // 8)
    assert " Default=YES DefCpuPerGPU=1 DefMemPerGPU=512 MaxTime" in lab.text("ctl0", "/etc/slurm/slurm.conf")


@pytest.mark.parametrize(
    ("sizes", "default", "of_gpus"),
    [
        ([(8, 4096), (16, 1000), (8, 8192)], "62", " DefCpuPerGPU=1 DefMemPerGPU=125 "),
        ([(8, 4096), (8, 0), (8, 4096)], None, " "),
    ],
)
def test_the_poorest_node_decides_what_a_cpu_brings_and_an_unknown_one_that_memory_is_not_scheduled(
    tmp_path: Path, sizes: list[tuple[int, int]], default: str | None, of_gpus: str
) -> None:
    contract = cluster()
    workers = [
        node.model_copy(update={"cpus": cpus, "memory_mib": memory_mib})
        for node, (cpus, memory_mib) in zip(contract.nodes[1:], sizes, strict=True)
    ]
    made = sealed(contract.model_copy(update={"nodes": [contract.nodes[0], *workers]}))
    recorded = record(tmp_path / "checkout", made, container=True, tags="slurm")
    text = recorded.text("h100-0", "/etc/slurm/slurm.conf")
    said = values(text)
    assert f" Default=YES{of_gpus}MaxTime" in text
    assert said.get("DefMemPerCPU") == default
    assert said["SelectTypeParameters"] == ("CR_Core_Memory" if default else "CR_Core")


def test_what_was_observed_of_a_node_is_what_is_rendered(tmp_path: Path) -> None:
    """One node was seen, the others not; slurm.conf(5), gres.conf(5), and NCCL's exact names."""
    made = whole_cluster()
    seen = NodeFacts(
        identity=made.node("h100-0").identity.value, memory_mib=4000,
        cpu=Cpu(sockets=2, cores_per_socket=4, threads_per_core=2), gpu_cores=["0-3"] * 4 + ["4-7"] * 4,
        rails=[RailNames(devices=["mlx5_9"], netdevs=["ibp1"]), RailNames(devices=["mlx5_10"], netdevs=["ibp2"])],
    )  # fmt: skip
    recorded = record(
        tmp_path / "checkout", made, container=False, tags="slurm,nccl", observed={"h100-0": seen}
    )
    slurm = recorded.text("ctl0", "/etc/slurm/slurm.conf")
    assert (
        "NodeName=h100-0 NodeAddr=10.90.0.11 CPUs=16 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 RealMemory=3800 Gres=gpu:8 "
    ) in slurm
    assert "NodeName=h100-1 NodeAddr=10.90.0.12 CPUs=8 RealMemory=3891 Gres=gpu:8 " in slurm
    assert values(slurm)["SelectTypeParameters"] == "CR_Core_Memory"
    assert recorded.text("ctl0", "/etc/slurm/gres.conf").splitlines()[1:] == [
        "NodeName=h100-0 Name=gpu File=/dev/nvidia[0-3] Cores=0-3",
        "NodeName=h100-0 Name=gpu File=/dev/nvidia[4-7] Cores=4-7",
        "NodeName=h100-1 Name=gpu File=/dev/nvidia[0-7]",
        "NodeName=h100-2 Name=gpu File=/dev/nvidia[0-7]",
    ]
    assert values(recorded.text("h100-0", "/etc/nccl.conf"))["NCCL_IB_HCA"] == "=mlx5_9,mlx5_10"


def test_a_machine_offers_less_than_its_nominal_memory_and_may_be_silent_for_minutes(
    lab: Recorded, machines: Recorded
) -> None:
    """Linux reports less than the modules hold; with RealMemory above that Slurm refuses the node (slurm.conf(5))."""
    container, machine = (one.text("h100-0", "/etc/slurm/slurm.conf") for one in (lab, machines))
    assert " RealMemory=4096 " in container and " RealMemory=3891 " in machine
    assert (values(machine)["SlurmdTimeout"], values(container)["SlurmdTimeout"]) == ("300", "30")


def test_jobs_have_their_own_tmp_where_the_node_is_a_machine(lab: Recorded, machines: Recorded) -> None:
    """In a container it would fail by chance: docs/adr/0011-jobs-have-their-own-tmp-on-machines.md."""
    container, machine = (values(one.text("h100-0", "/etc/slurm/slurm.conf")) for one in (lab, machines))
    assert machine["JobContainerType"] == "job_container/tmpfs" and "JobContainerType" not in container
    assert container["PrologFlags"] == machine["PrologFlags"] == "Contain,DeferBatch", (
        "no X11: it needs cgroups"
    )
    said = values(machines.text("h100-0", "/etc/slurm/job_container.conf"))
    assert said == {"AutoBasePath": "true", "BasePath": "/var/lib/slurm/jobs"}
    for host, task in (
        ("h100-0", "slurm_node: Take jobs"),
        ("ctl0", "slurm_controller: Schedule"),
    ):
        assert "/etc/slurm/job_container.conf" in machines.asked[host][task]["units"][0]["files"]


ACCOUNT = [
    "required pam_nologin.so",
    "substack common-account",
    "sufficient pam_listfile.so item=user sense=allow onerr=fail quiet file=/etc/railbed/always-logins",
    "required pam_slurm_adopt.so action_no_jobs=deny action_adopt_failure=deny action_generic_failure=deny",
]


def stack(text: str, kind: str) -> list[str]:
    lines = [line.split() for line in text.splitlines()]
    return [" ".join(words[1:]) for words in lines if words[:1] == [kind]]


def test_a_node_lets_in_who_has_a_job_and_who_looks_after_it(lab: Recorded, machines: Recorded) -> None:
    for recorded in (lab, machines):
        assert stack(recorded.text("h100-2", "/etc/pam.d/sshd"), "account") == ACCOUNT
        assert recorded.text("h100-2", "/etc/railbed/always-logins") == "ada\nroot\n"
        assert "/etc/pam.d/sshd" not in recorded.files["ctl0"], "people log in to the controller"
        assert "UsePAM yes" in recorded.text("h100-2", "/etc/ssh/sshd_config.d/10-railbed.conf")
        packages = recorded.asked["h100-2"]["packages: Install the packages of all roles"]["packages"]
        assert "libpam-slurm-adopt" in packages
        for file in ("/etc/cron.allow", "/etc/at.allow"):
            assert recorded.text("h100-2", file) == "root\n", "what starts later belongs to no job"


def test_a_job_is_asked_for_before_there_are_people(lab: Recorded) -> None:
    """A new node has accounts and keys long before it takes jobs, and nobody has accepted it yet."""
    order = list(lab.asked["h100-2"])
    rule = order.index("slurm_node: Let in who has a job here, and who looks after the node")
    assert order.index("packages: Install the packages of all roles") < rule, "it brings the rule's module"
    people = [at for at, task in enumerate(order) if task.partition(":")[0] in ("directory", "users")]
    assert people and rule < min(people)
    assert "/etc/pam.d/sshd" in lab.asked["h100-2"][order[rule]]["files"]


def test_only_where_sessions_join_the_job_do_they_do_without_pam_systemd(
    lab: Recorded, machines: Recorded
) -> None:
    container, machine = (one.text("h100-0", "/etc/pam.d/sshd") for one in (lab, machines))
    assert "@include common-session\n" in container
    assert "@include common-session-noninteractive\n" in machine
    assert "@include common-session\n" not in machine


def test_new_nodes_are_held_before_any_takes_jobs(lab: Recorded) -> None:
    asked = lab.asked["h100-0"]["slurm_controller: Hold the nodes that never passed a full validation"]
    assert asked["name"] == "railbed-acceptance" and asked["nodes"] == ["h100-0", "h100-1", "h100-2"]
    order = list(lab.asked["h100-0"])
    assert order.index("slurm_controller: Hold the nodes that never passed a full validation") < order.index(
        "slurm_node: Take jobs"
    )


def test_ranks_exchange_data_over_the_rails(lab: Recorded, machines: Recorded) -> None:
    assert "btl_tcp_if_include = 10.91.0.0/24,10.91.1.0/24\n" in lab.text(
        "h100-0", "/etc/openmpi/openmpi-mca-params.conf"
    )
    assert "btl_tcp_if_include" not in machines.text("h100-0", "/etc/openmpi/openmpi-mca-params.conf")
    assert "NCCL_SOCKET_IFNAME=rail0,rail1\n" in lab.text("h100-0", "/etc/nccl.conf")
    assert "NCCL_IB_HCA==mlx5_0,mlx5_1\n" in machines.text("h100-0", "/etc/nccl.conf")
