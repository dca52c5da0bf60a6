"""What the roles would write, host by host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.roles.conftest import KEY, Recorded, cluster, record, whole_cluster
from tests.support.contracts import sealed

from railbed.configure import health
from railbed.hardware import Cpu, NodeFacts, RailNames

ROOT = Path(__file__).resolve().parents[2]
MODULES_PER_NODE = 40


def values(text: str) -> dict[str, str]:
    """``Key=value`` lines; the last one counts."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_every_node_comes_to_the_end(lab: Recorded, machines: Recorded) -> None:
    for recorded in (lab, machines):
        assert recorded.collector.finished
        states = {
            name: (one.state, one.failed_task, one.message) for name, one in recorded.collector.nodes.items()
        }
        assert not [state for state in states.values() if state[1]], states


def test_modules_per_node_stay_few(lab: Recorded, machines: Recorded) -> None:
    """Every role runs on one of the two: each module is one that a converged run asks of the node."""
    for recorded in (lab, machines):
        modules = {name: one.modules for name, one in recorded.collector.nodes.items()}
        assert 0 < max(modules.values()) <= MODULES_PER_NODE, modules


def test_hosts_know_each_other(lab: Recorded) -> None:
    hosts = lab.text("h100-0", "/etc/hosts")
    assert "10.90.0.10 ctl0 ctl0.small.test\n" in hosts and "10.90.0.13 h100-2 h100-2.small.test\n" in hosts
    assert lab.text("h100-0", "/etc/hostname") == "h100-0\n"
    known = lab.text("h100-0", "/etc/ssh/ssh_known_hosts")
    assert "ctl0,10.90.0.10 ssh-ed25519 AAAAC3Nza10 ctl0\n" in known and known.count("ssh-ed25519") == 4


def test_a_node_may_know_who_it_is(lab: Recorded) -> None:
    identity = json.loads(lab.text("h100-1", "/etc/railbed/node.json"))
    assert identity["identity"] == {"kind": "machine_id", "value": "id-12"}
    assert [rail["address"] for rail in identity["rails"]] == ["10.91.0.12/24", "10.91.1.12/24"]
    assert "simulated" in lab.text("h100-1", "/etc/motd")


def test_the_only_sources_are_the_contracts_and_signed(lab: Recorded) -> None:
    sources = lab.text("h100-0", "/etc/apt/sources.list.d/railbed.sources")
    assert "URIs: file:/srv/repo\nSuites: ./\nSigned-By:\n -----BEGIN PGP" in sources
    assert "URIs: https://deb.test/debian\nSuites: bookworm\nComponents: main\nSigned-By:" in sources
    assert sources.count("\n .\n") == 2, "an empty line inside a deb822 field is a single dot"
    assert sources.count(KEY.splitlines()[-1]) == 2
    asked = lab.asked["h100-0"]["packages: Say where packages come from"]
    assert asked["purge"] == ["/etc/apt/sources.list.d"] and asked["absent"] == ["/etc/apt/sources.list"]


def test_the_driver_has_its_exact_version_is_held_and_is_nowhere_without_gpus(lab: Recorded) -> None:
    asked = lab.asked["h100-0"]["packages: Install the packages of all roles"]
    assert "nvidia-open=570.124.06-*" in asked["packages"] and "nvidia-open" not in asked["packages"]
    assert asked["hold"][0] == "nvidia-open" and "linux-image-*" in asked["hold"]
    assert "Pin: version 570.124.06-*\nPin-Priority: 1002\n" in lab.text(
        "h100-0", "/etc/apt/preferences.d/railbed"
    )
    controller = lab.asked["ctl0"]["packages: Install the packages of all roles"]
    assert (
        not [name for name in controller["packages"] if "nvidia" in name]
        and "nvidia-open" not in controller["hold"]
    )
    assert {"slurmctld", "moosefs-master"} <= set(controller["packages"])


def test_time_comes_from_the_controller(lab: Recorded) -> None:
    assert "server ctl0 iburst" in lab.text("h100-0", "/etc/chrony/chrony.conf")
    reference = lab.text("ctl0", "/etc/chrony/chrony.conf")
    assert (
        "local stratum" in reference
        and "allow 10.90.0.0/24" in reference
        and "server" not in reference.split("local")[1]
    )


def test_only_a_machine_of_its_own_sets_its_clock(lab: Recorded, machines: Recorded) -> None:
    override = "/etc/systemd/system/chrony.service.d/railbed.conf"
    assert 'DAEMON_OPTS="-x"' in lab.text("h100-0", "/etc/default/chrony")
    assert "rtcsync" not in lab.text("h100-0", "/etc/chrony/chrony.conf")
    assert "ConditionCapability=\n" in lab.text("h100-0", override)
    assert 'DAEMON_OPTS="-F 1"' in machines.text("h100-0", "/etc/default/chrony")
    assert "rtcsync" in machines.text("h100-0", "/etc/chrony/chrony.conf")
    assert override not in machines.files["h100-0"]
    assert machines.asked["h100-0"]["time: Keep the clock"]["absent"] == [override]


def test_tcp_rails_get_a_congestion_control_that_fills_them(lab: Recorded, machines: Recorded) -> None:
    asked = lab.asked["h100-0"]["tuning: Set kernel parameters"]["values"]
    assert asked["net.ipv4.tcp_congestion_control"] == "reno"
    for recorded, host in ((lab, "ctl0"), (machines, "h100-0")):
        assert (
            "net.ipv4.tcp_congestion_control"
            not in recorded.asked[host]["tuning: Set kernel parameters"]["values"]
        )
    assert lab.asked["h100-0"]["tuning: Keep the rails up"]["links"] == {"rail0": 9000, "rail1": 9000}
    assert lab.asked["ctl0"]["tuning: Keep the rails up"]["links"] == {}


def test_tunables_are_set_where_they_belong_and_say_what_they_do(lab: Recorded) -> None:
    known = yaml.safe_load((ROOT / "roles/tuning/vars/main.yml").read_text())
    asked = lab.asked["ctl0"]["tuning: Set kernel parameters"]
    for of, part in (("node", "values"), ("machine", "where_writable")):
        assert {
            one["parameter"]: one["value"] for one in known["tuning_tunables"] if one["of"] == of
        } == asked[part]
    for one in [*known["tuning_tunables"], *known["tuning_choices"]]:
        assert len(one["reason"]) > 20 and one["source"]
        assert one["effect"].startswith(("unmeasured", "measured", "published", "by arithmetic")), one[
            "parameter"
        ]


def test_limits_reach_logins_and_the_schedulers_daemon(lab: Recorded) -> None:
    unit = values(lab.text("h100-0", "/etc/systemd/system/slurmd.service.d/10-railbed-limits.conf"))
    assert unit["LimitMEMLOCK"] == "infinity" and int(unit["LimitNOFILE"]) >= 65536
    assert "root hard memlock unlimited" in lab.text("ctl0", "/etc/security/limits.d/90-railbed.conf")
    files = lab.asked["h100-0"]["slurm_node: Take jobs, and let in who has one here"]["units"][0]["files"]
    assert "/etc/systemd/system/slurmd.service.d/10-railbed-limits.conf" in files


def test_logins_are_by_key(lab: Recorded) -> None:
    daemon = lab.files["h100-0"]["/etc/ssh/sshd_config.d/10-railbed.conf"]
    assert "PasswordAuthentication no" in daemon["content"] and daemon["validate"][0] == "/usr/sbin/sshd"
    assert lab.text("h100-0", "/etc/railbed/users/ada.keys") == "ssh-ed25519 AAAAada ada\n"
    assert "ada ALL=" in lab.text("h100-0", "/etc/sudoers.d/railbed")


def test_no_node_has_a_key_that_another_accepts_and_an_old_one_is_removed(lab: Recorded) -> None:
    for host in lab.files:
        daemon = values(lab.text(host, "/etc/ssh/sshd_config.d/10-railbed.conf").replace(" ", "=", 1))
        asked = lab.asked[host]["ssh: Configure logins"]
        assert asked["absent"] == ["/root/.ssh/railbed_cluster_ed25519"]
        assert asked["purge"] == ["/etc/railbed/ssh"]
        assert not [path for path in lab.files[host] if path.startswith(("/root/", "/etc/railbed/ssh/"))]
        assert "/etc/railbed/ssh" not in str(daemon)
        assert "IdentityFile" not in lab.text(host, "/etc/ssh/ssh_config.d/railbed.conf")


def test_people_have_one_id_everywhere_and_lose_their_keys_when_they_go(lab: Recorded) -> None:
    asked = [one["users: Give people their keys and rights"] for one in lab.asked.values()]
    assert len(asked) == 4 and all(one["purge"] == ["/etc/railbed/users"] for one in asked)
    accounts = [one["users: Give people their accounts"] for one in lab.called.values()]
    assert len(accounts) == 4 and all([who["name"] for who in one] == ["ada"] for one in accounts)
    (uid,) = {who["uid"] for one in accounts for who in one}
    assert 10000 <= uid < 60000


def test_secrets_are_never_in_what_ansible_reports(lab: Recorded) -> None:
    """The recorder answers with all that it was asked, and yet neither key is to be seen."""
    assert "/etc/munge/munge.key" not in lab.files["h100-0"]
    assert "PRIVATE KEY" not in str(lab.asked)


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
        "drained nodes too: how else would a drain end"
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
        container["ProctrackType"] == "proctrack/linuxproc"
        and container["SlurmdParameters"] == "config_overrides"
    )
    assert machine["ProctrackType"] == "proctrack/cgroup" and "SlurmdParameters" not in machine
    assert "ConstrainDevices=yes" in machines.text("ctl0", "/etc/slurm/cgroup.conf")


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
    assert values(machine)["SlurmctldParameters"] == "node_reg_mem_percent=90"
    assert "SlurmctldParameters" not in values(container)
    assert (values(machine)["SlurmdTimeout"], values(container)["SlurmdTimeout"]) == ("300", "30")


def test_jobs_have_their_own_tmp_where_the_node_is_a_machine(lab: Recorded, machines: Recorded) -> None:
    """In a container it would fail by chance: docs/adr/0011-jobs-have-their-own-tmp-on-machines.md."""
    container, machine = (values(one.text("h100-0", "/etc/slurm/slurm.conf")) for one in (lab, machines))
    assert machine["JobContainerType"] == "job_container/tmpfs" and "JobContainerType" not in container
    assert container["PrologFlags"] == machine["PrologFlags"] == "Contain", "and no X11, which needs cgroups"
    said = values(machines.text("h100-0", "/etc/slurm/job_container.conf"))
    assert said == {"AutoBasePath": "true", "BasePath": "/var/lib/slurm/jobs"}
    for host, task in (
        ("h100-0", "slurm_node: Take jobs, and let in who has one here"),
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
        "slurm_node: Take jobs, and let in who has one here"
    )


def test_ranks_exchange_data_over_the_rails(lab: Recorded, machines: Recorded) -> None:
    assert "btl_tcp_if_include = 10.91.0.0/24,10.91.1.0/24\n" in lab.text(
        "h100-0", "/etc/openmpi/openmpi-mca-params.conf"
    )
    assert "btl_tcp_if_include" not in machines.text("h100-0", "/etc/openmpi/openmpi-mca-params.conf")
    assert "NCCL_SOCKET_IFNAME=rail0,rail1\n" in lab.text("h100-0", "/etc/nccl.conf")
    assert "NCCL_IB_HCA==mlx5_0,mlx5_1\n" in machines.text("h100-0", "/etc/nccl.conf")


def test_the_filesystems_servers(lab: Recorded) -> None:
    exports = [line for line in lab.text("ctl0", "/etc/mfs/mfsexports.cfg").splitlines() if line[0] != "#"]
    assert exports == [
        "10.90.0.10 / rw,alldirs,admin,maproot=0:0", "10.90.0.10 . rw", "10.90.0.0/24 / rw,alldirs,maproot=65534:65534",
    ], "root and the trash are the controller's"  # fmt: skip
    empty = lab.files["ctl0"]["/var/lib/mfs/metadata.mfs"]
    assert empty["content"] == "MFSM NEW" and "/var/lib/mfs/metadata.mfs.back" in empty["unless_exists"]
    assert (
        values(lab.text("h100-0", "/etc/mfs/mfschunkserver.cfg").replace(" = ", "="))["MASTER_HOST"] == "ctl0"
    )
    assert lab.text("h100-0", "/etc/mfs/mfshdd.cfg").splitlines()[-1] == "/srv/railbed/data/scratch"
    assert lab.asked["h100-0"]["filesystem_server: Serve"]["directories"]["/srv/railbed/data/scratch"] == {
        "owner": "mfs"
    }
    assert "/etc/mfs/mfshdd.cfg" not in lab.files["h100-2"], "the spare keeps no data"
    assert "/etc/mfs/mfsmaster.cfg" not in lab.files["h100-0"]


def test_every_node_mounts_with_the_wanted_copies(lab: Recorded) -> None:
    for host in ("ctl0", "h100-0", "h100-2"):
        unit = lab.text(host, "/etc/systemd/system/railbed-filesystem-scratch.service")
        assert "ExecStart=/usr/bin/mfsmount /scratch -H ctl0 -o nosuid,nodev\n" in unit
        assert "Before=remote-fs.target" in unit
    copies = lab.text("ctl0", "/etc/systemd/system/railbed-copies-scratch.service")
    assert "ExecStart=/usr/bin/mfssetgoal 2 /scratch\n" in copies


def test_the_node_gets_its_checks_and_what_to_expect(lab: Recorded) -> None:
    expected = json.loads(lab.text("h100-0", "/etc/railbed/expectations.json"))
    assert expected["driver"] == "570.124.06" and expected["gpus"] == 8
    assert expected["rails"][1] == {"index": 1, "netdev": "rail1", "address": "10.91.1.11/24", "mtu": 9000}
    assert expected["mounts"] == [{"path": "/scratch", "kind": "moosefs", "server": "ctl0"}]
    assert (expected["pool"], expected["names"], expected["health"]) == ("h100", ["ctl0"], health.settings())
    installed = lab.text("h100-0", "/opt/railbed/checks/railbed/validate/node/healthcheck.py")
    assert installed == (Path("infra/railbed/validate/node/healthcheck.py")).read_text()
    assert "/opt/railbed/collectives/collectives.py" in lab.files["h100-0"]
    assert lab.files["h100-0"]["/opt/railbed/bin/all_reduce_perf"]["mode"] == "0755"


@pytest.mark.parametrize(
    "path",
    [
        "/opt/railbed/checks/healthcheck",
        "/opt/railbed/bin/alltoall_perf",
        "/etc/profile.d/railbed-training.sh",
    ],
)
def test_scripts_are_shell(lab: Recorded, path: str) -> None:
    done = subprocess.run(
        ["sh", "-n"], input=lab.text("h100-0", path), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_argument_that_a_role_does_not_know_stops_the_play(tmp_path: Path) -> None:
    contract = cluster()
    changes = {"kind": "external", "source": "gopher://data", "metadata_server": "", "data_servers": []}
    unknown = [contract.filesystems[0].model_copy(update=changes)]
    made = sealed(contract.model_copy(update={"filesystems": unknown}))
    recorded = record(tmp_path / "checkout", made, container=True, tags="filesystem_client")
    told = {one.message for one in recorded.collector.nodes.values()}
    assert any("must be one of: moosefs, lustre" in message for message in told), told
