"""What the roles would write, host by host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.roles import goldens
from tests.roles.conftest import KEY, Recorded, cluster, record
from tests.support.contracts import sealed

from railbed.configure import health

ROOT = Path(__file__).resolve().parents[2]
MODULES_PER_NODE = 40
MODULES_OF_ROCE_ON_METAL = 46


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
    """Each module is one that a converged run asks of the node."""
    for recorded in (lab, machines):
        modules = {name: one.modules for name, one in recorded.collector.nodes.items()}
        assert 0 < max(modules.values()) <= MODULES_PER_NODE, modules


def test_bare_metal_with_roce_rails_comes_to_the_end(tmp_path: Path) -> None:
    """It has the most roles. Its nodes boot before their drivers come: a dry run says so, and asks no scheduler, which may not
    be there yet."""
    done = goldens.recorded("metal-cluster-roce", tmp_path).collector
    assert done.finished and not [one.message for one in done.nodes.values() if one.failed_task]
    assert str(done.nodes["h100-0"].state) == "changed"
    assert max(one.modules for one in done.nodes.values()) <= MODULES_OF_ROCE_ON_METAL


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
    files = lab.asked["h100-0"]["slurm_node: Take jobs"]["units"][0]["files"]
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
    assert expected["rails"][1] == {
        "index": 1, "device": "mlx5_1", "netdev": "rail1", "address": "10.91.1.11/24", "mtu": 9000,
        "rate_gbps": 0.1,
    }  # fmt: skip
    assert expected["mounts"] == [{"path": "/scratch", "kind": "moosefs", "server": "ctl0"}]
    assert (expected["pool"], expected["names"], expected["health"]) == ("h100", ["ctl0"], health.settings())
    installed = lab.text("h100-0", "/opt/railbed/checks/railbed/validate/node/healthcheck.py")
    assert installed == (Path("infra/railbed/validate/node/healthcheck.py")).read_text()


@pytest.mark.parametrize(
    "path",
    [
        "/opt/railbed/checks/healthcheck",
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
