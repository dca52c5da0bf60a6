"""Clients of every kind, and servers of BeeGFS and Ceph: rendered, since no lab has them. And what is never mounted anew."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.conftest import Recorded, cluster, record
from tests.support.contracts import sealed
from tests.unit.configure import modules
from tests.unit.configure.test_units import SYSTEMCTL, Host

from railbed.contract import Contract, Filesystem
from railbed.effects.workspace import Workspace

TREE = modules.load("tree")
UNIT = "/etc/systemd/system/railbed-filesystem-{}.service"
SOURCES = {
    "bought": ("lustre", "fs-1.test@tcp:/abcd", "relatime,flock"),
    "fast": ("lustre", "10.9.0.2@o2ib1:/fast", ""),
    "hot": ("external", "weka://b1,b2/hot", "net=udp"),
    "home": ("external", "10.9.0.1:/home", "nfsvers=4.2"),
    "shared": ("external", "tag", ""),
}


def served(kind: str, data_path: str) -> Contract:
    """The small cluster, which keeps a filesystem of this kind itself and mounts what others keep."""
    contract = cluster()
    own = contract.filesystems[0].model_copy(update={"kind": kind, "data_path": data_path})
    others = [
        Filesystem(
            name=name, kind=kind, mount=f"/{name}", metadata_server="", data_servers=[], data_path="", copies=1,  # type: ignore[arg-type]
            capacity_tib=1.0, source=source, options=options,
        )
        for name, (kind, source, options) in SOURCES.items()
    ]  # fmt: skip
    made = sealed(contract.model_copy(update={"filesystems": [own, *others]}))
    # As on machines: a container has no kernel of its own to load LNet into.
    classes = [one.model_copy(update={"groups": [*one.groups, "lnet_nodes"]}) for one in made.classes]
    return made.model_copy(update={"classes": classes}).sealed()


@pytest.fixture(scope="module")
def beegfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield _record(tmp_path_factory.mktemp("beegfs"), served("beegfs", "/srv/data"))


@pytest.fixture(scope="module")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield _record(tmp_path_factory.mktemp("ceph"), served("ceph", "/dev/nvme1n1"), tags="filesystem_server")


def _record(
    folder: Path, contract: Contract, tags: str = "packages,filesystem_server,filesystem_client,lnet"
) -> Recorded:
    """BeeGFS shares a secret of the stack's own; Ceph's is one that an operator would have put there."""
    own = Workspace(folder / "checkout", contract.stack).secrets
    own.mkdir(parents=True)
    secret = own / ("beegfs.auth" if contract.filesystems[0].kind == "beegfs" else "scratch.secret")
    secret.write_text("secret\n")
    given = {"filesystem_client_secrets": {"scratch": str(secret)}} if secret.suffix == ".secret" else {}
    values = folder / "values.yml"
    values.write_text(yaml.safe_dump(given))
    return record(folder / "checkout", contract, container=False, tags=f"{tags} --extra-vars @{values}")


def unit(recorded: Recorded, name: str, host: str = "h100-0") -> dict[str, Any]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(recorded.text(host, UNIT.format(name)))
    return {section: dict(parser[section]) for section in parser.sections()}


def test_every_node_comes_to_the_end(beegfs: Recorded, ceph: Recorded) -> None:
    for recorded in (beegfs, ceph):
        assert not [one.message for one in recorded.collector.nodes.values() if one.failed_task]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("bought", "-t lustre -o relatime,flock,nosuid,nodev fs-1.test@tcp:/abcd /bought"),
        ("fast", "-t lustre -o nosuid,nodev 10.9.0.2@o2ib1:/fast /fast"),
        ("hot", "-t wekafs -o net=udp,nosuid,nodev b1,b2/hot /hot"),
        ("home", "-t nfs -o nfsvers=4.2,nosuid,nodev 10.9.0.1:/home /home"),
        ("shared", "-t virtiofs -o nosuid,nodev tag /shared"),
        (
            "scratch",
            "-t beegfs -o cfgFile=/etc/beegfs/railbed-scratch.conf,nosuid,nodev beegfs_nodev /scratch",
        ),
    ],
)
def test_each_kind_is_mounted_in_its_own_words(beegfs: Recorded, name: str, command: str) -> None:
    said = unit(beegfs, name)
    assert said["Service"]["ExecStart"] == f"/usr/bin/mount {command}"
    assert said["Unit"]["Before"] == "remote-fs.target" and "remote-fs.target" in said["Install"]["WantedBy"]


def test_nodes_with_infiniband_load_ipoib_whoever_they_are(beegfs: Recorded) -> None:
    for host in ("ctl0", "h100-0"):
        assert "\nib_ipoib\n" in beegfs.text(host, "/etc/modules-load.d/railbed-lnet.conf")
        units = [
            one["name"]
            for one in beegfs.asked[host]["lnet: Give LNet its networks, now and at every boot"]["units"]
        ]
        assert units == ["systemd-modules-load.service", "railbed-lnet.service"]


def test_lustre_over_rdma_is_not_mounted_where_its_network_failed(beegfs: Recorded) -> None:
    """And no restart of the network takes a mount away from jobs, as `Requires=` would (systemd.unit(5))."""
    said = unit(beegfs, "fast")
    assert said["Service"]["ExecStartPre"] and "Requires" not in said["Unit"]
    text = beegfs.text("h100-0", UNIT.format("fast"))
    assert "ExecStartPre=/usr/bin/systemctl --quiet is-active railbed-lnet.service\n" in text
    for key in ("Wants", "After"):
        assert said["Unit"][key].split()[-1] == "railbed-lnet.service"
    assert "railbed-lnet" not in beegfs.text("h100-0", UNIT.format("bought"))


def test_clients_bring_their_own_packages_and_no_others(beegfs: Recorded, lab: Recorded) -> None:
    packages = "packages: Install the packages of all roles"
    asked = set(beegfs.asked["h100-2"][packages]["packages"])
    assert {"beegfs-client", "nfs-common"} <= asked and not asked & {"moosefs-client", "ceph-common", ""}
    assert {"moosefs-client", "fuse3"} <= set(lab.asked["h100-2"][packages]["packages"])


def test_servers_of_beegfs_find_each_other_and_ask_for_the_shared_file(beegfs: Recorded) -> None:
    for host, name in (("ctl0", "meta"), ("h100-0", "storage")):
        said = beegfs.text(host, f"/etc/beegfs/beegfs-{name}.conf")
        assert "sysMgmtdHost = ctl0\n" in said and "connAuthFile = /etc/beegfs/conn.auth\n" in said
    assert "storeStorageDirectory = /srv/data\n" in beegfs.text("h100-0", "/etc/beegfs/beegfs-storage.conf")
    units = [one["name"] for one in beegfs.asked["ctl0"]["filesystem_server: Serve"]["units"]]
    assert units == ["beegfs-mgmtd.service", "beegfs-meta.service"]
    assert "sysMgmtdHost = ctl0\n" in beegfs.text("h100-2", "/etc/beegfs/railbed-scratch.conf")


def test_shared_secrets_stay_out_of_what_ansible_reports(beegfs: Recorded) -> None:
    assert "c2VjcmV0" not in str(beegfs.asked) and "/etc/beegfs/conn.auth" not in beegfs.files["h100-0"]


def test_ceph_is_told_all_of_itself_and_made_once(ceph: Recorded) -> None:
    parts = list(yaml.safe_load_all(ceph.text("ctl0", "/etc/ceph/railbed.yaml")))
    hosts = {part["hostname"]: part["addr"] for part in parts if part["service_type"] == "host"}
    assert hosts == {"ctl0": "10.90.0.10", "h100-0": "10.90.0.11", "h100-1": "10.90.0.12"}
    osd = next(part for part in parts if part["service_type"] == "osd")
    assert osd["placement"]["hosts"] == ["h100-0", "h100-1"]
    assert osd["spec"] == {"data_devices": {"paths": ["/dev/nvme1n1"]}}
    said = ceph.text("ctl0", "/etc/systemd/system/railbed-ceph.service")
    assert "test -e /etc/ceph/ceph.conf || exec cephadm bootstrap --mon-ip 10.90.0.10" in said
    assert "mfs" not in str(ceph.called), "accounts of MooseFS are for MooseFS"


MOUNT = "filesystem_client: Mount"
ETC = "/etc/systemd/system/"
MOUNTED, COPIES = "railbed-filesystem-scratch.service", "railbed-copies-scratch.service"


def test_nothing_is_mounted_anew_under_jobs(lab: Recorded, beegfs: Recorded) -> None:
    """A unit that names files is started anew when they change: the mount names none, whatever its kind."""
    assert lab.asked["h100-0"][MOUNT]["units"] == [{"name": MOUNTED}]
    assert lab.asked["ctl0"][MOUNT]["units"] == [{"name": MOUNTED}, {"name": COPIES, "files": [ETC + COPIES]}]
    # Of a loop the last is recorded.
    assert beegfs.asked["h100-0"][MOUNT]["units"] == [{"name": "railbed-filesystem-shared.service"}]


def test_copies_are_told_to_what_is_mounted_before_jobs_come(lab: Recorded) -> None:
    said = configparser.RawConfigParser(strict=False)
    said.read_string(lab.text("ctl0", ETC + COPIES))
    assert said["Unit"]["Requires"] == said["Unit"]["After"] == MOUNTED
    assert said["Unit"]["Before"] == "remote-fs.target" and "remote-fs.target" in said["Install"]["WantedBy"]
    lines = lab.text("ctl0", ETC + COPIES).splitlines()
    assert [line for line in lines if line.startswith("ExecStart=")] == [
        "ExecStart=/usr/bin/mfssetgoal 2 /scratch", "ExecStart=/usr/bin/chmod 1777 /scratch",
    ]  # fmt: skip
    assert "mfssetgoal" not in lab.text("ctl0", ETC + MOUNTED)


def test_copies_are_set_by_a_host_whose_root_is_root_there(lab: Recorded) -> None:
    """Elsewhere root is nobody to the servers: an earlier version's unit would fail at the next boot."""
    assert COPIES in lab.text("ctl0", ETC + MOUNTED) and lab.asked["ctl0"][MOUNT]["absent"] == []
    for host in ("h100-0", "h100-2"):
        assert ETC + COPIES not in lab.files[host] and COPIES not in lab.text(host, ETC + MOUNTED)
        gone = [
            ETC + COPIES,
            *(f"{ETC}{target}.target.wants/{COPIES}" for target in ("multi-user", "remote-fs")),
        ]
        assert lab.asked[host][MOUNT]["absent"] == gone


def systemd(folder: Path, patch: pytest.MonkeyPatch) -> Host:
    """The stand-in of the tests of module units."""
    (folder / "bin").mkdir()
    modules.program(folder / "bin", "systemctl", SYSTEMCTL)
    patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("FAKE_UNITS", str(folder / "units.json"))
    patch.setattr(modules.UNITS, "STAMPS", str(folder / "stamps"))
    return Host(folder)


def test_another_number_of_copies_touches_no_mount(
    lab: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one and then two servers make of the units, brought to a node by the real module."""
    contract = cluster()
    one = contract.model_copy(
        update={"filesystems": [contract.filesystems[0].model_copy(update={"copies": 1})]}
    )
    before = record(tmp_path / "checkout", sealed(one), container=True, tags="filesystem_client")
    host = systemd(tmp_path, monkeypatch)
    for name in (MOUNTED, COPIES):
        host.add(name)

    def bring(recorded: Recorded) -> list[str]:
        asked = json.dumps(recorded.asked["ctl0"][MOUNT]).replace(ETC, f"{tmp_path}/etc/")
        assert not modules.call(TREE, settle_s=0, **json.loads(asked)).get("failed")
        return host.done()

    assert bring(before) == [f"enable {MOUNTED} {COPIES}", f"start {MOUNTED}", f"start {COPIES}"]
    assert bring(lab) == [f"restart {COPIES}"]
    (tmp_path / "etc" / MOUNTED).write_text("of another hand")
    assert bring(lab) == [] and "mfsmount" in (tmp_path / "etc" / MOUNTED).read_text(), (
        "written anew, and no more"
    )
    host.units = {name: host.state(name) for name in (MOUNTED, COPIES)}
    host.add(MOUNTED, **{**host.units[MOUNTED], "ActiveState": "failed"})
    assert bring(lab) == [f"reset-failed {MOUNTED}", f"start {MOUNTED}"], "one that is gone is mounted"
