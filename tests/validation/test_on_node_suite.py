"""The on-node suite on good and bad nodes: every check has a case that it must pass and cases that it must not."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.certificate import identity
from railbed.certificate.identity import Shown
from railbed.claims import Verdict
from railbed.validate.node import apart

DATA = Path(__file__).parent / "data"
CLAIMS = (
    "node.gpus", "node.driver", "node.fabric_manager", "node.dcgm_engine", "node.nics", "node.limits", "node.time",
    "node.packages", "node.containers", "node.mounts", "node.scheduler", "node.logins",
    "node.imds",
)  # fmt: skip
Break = Callable[[Any], None]


def gpus(state: str) -> Break:
    return lambda world: world.recorded("nvidia-smi", DATA / "nvidia-smi" / state)


def dcgm(state: str, driver: str = "good") -> Break:
    """What DCGM says, beside what the driver says."""

    def harm(world: Any) -> None:
        world.recorded("dcgmi", DATA / "dcgmi" / state)
        gpus(driver)(world)

    return harm


def report(text: str) -> Break:
    """Everything is answered as on a good node, but for the report."""

    def harm(world: Any) -> None:
        answers = world.folder / "other"
        shutil.copytree(DATA / "nvidia-smi/good", answers)
        (answers / "_q__x.out").write_text(text)
        world.recorded("nvidia-smi", answers)

    return harm


def other_driver(world: Any) -> None:
    good = (DATA / "nvidia-smi/good/_q__x.out").read_text()
    report(good.replace("570.124.06", "565.57.01"))(world)


def file(path: str, text: str) -> Break:
    return lambda world: world.write(path, text)


def gone(path: str) -> Break:
    return lambda world: (world.root / path.lstrip("/")).unlink()


def mounted(*options: str) -> Break:
    """The filesystem's place is mounted so, once or several times."""

    def harm(world: Any) -> None:
        lines = [f"mfs\\043ctl0:9421 {world.folder} fuse {one} 0 0\n" for one in options]
        world.write("/proc/mounts", "".join(lines))

    return harm


def pam(text: str) -> Break:
    return file("/etc/pam.d/sshd", text)


def closed(world: Any) -> None:
    (world.root / "var/lib/enroot/data").chmod(0o755)


def says(name: str, out: str, code: int = 0) -> Break:
    return lambda world: world.command(name, out, code)


def lacks(name: str) -> Break:
    return lambda world: world.without(name)


def changed(name: str, old: str, new: str, data: str) -> Break:
    text = (DATA / data).read_text()
    assert old in text
    return says(name, text.replace(old, new))


def wants(**fields: Any) -> Break:
    return lambda world: world.want.update(fields)


def test_a_good_node_passes_everything(world: Any) -> None:
    world.want["gpu_memory_mib"] = round(81559 * 40960 / 40536)  # as far as drivers differ over an A100
    found = world.suite(*CLAIMS)
    assert {claim: record["verdict"] for claim, record in found.items()} == dict.fromkeys(CLAIMS, "pass")
    assert found["node.gpus"]["measured"] == found["node.gpus"]["expected"] == 8
    assert found["node.driver"]["measured"] == "570.124.06"
    assert found["node.time"]["measured"] == pytest.approx(1.898e-06)
    assert all(record["at"].endswith("+00:00") for record in found.values())


def test_only_what_is_asked_is_answered(world: Any) -> None:
    assert set(world.suite("node.nics")) == {"node.nics"}
    assert world.suite("node.unknown") == {}


def test_a_node_shows_who_it_is_and_judges_nothing_of_it(world: Any) -> None:
    record = world.suite("node.identity")["node.identity"]
    assert record["verdict"] == "unproven", "the controller compares it with the contract"
    shown = Shown.model_validate(record["shown"])
    seen = identity.of(shown, 8, simulated=False)
    assert (seen.machine_id, seen.serial) == ("0f8c2a4e6b1d4c3f9a7e5d2b1c0f8e6a", "S449821X4B0123")
    assert len(seen.gpus) == 8 and seen.gpus[7].serial == "0000000000007"
    assert [nic.name for nic in seen.nics] == ["mlx5_0"], "virtual functions are no cards"
    assert "rail0" in seen.absent["nics"]
    judged = identity.judge("serial", "S449821X4B0123", seen)
    assert judged[0] is Verdict.PASS
    assert identity.judge("serial", "S449821X4B0999", seen)[0] is Verdict.FAIL


def test_a_node_that_shows_nothing_says_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(world.root)
    lacks("nvidia-smi")(world)
    seen = identity.of(Shown.model_validate(world.shown(monkeypatch)), 8, simulated=False)
    assert not seen.measured
    assert set(seen.absent) == {"serial", "machine_id", "instance_id", "gpus", "nics"}
    assert "nvidia-smi: not found" in seen.absent["gpus"]


def test_what_a_node_shows_is_bounded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("/etc/machine-id", "x" * 1_000_000)
    world.command("nvidia-smi", "y" * 1_000_000)
    for i in range(1000):
        world.write(f"/sys/class/infiniband/mlx5_{i}/node_guid", "0c42:a103:0065:1a2b\n")
    assert len(json.dumps(world.shown(monkeypatch))) < 50_000


BAD = [
    ("node.gpus", gpus("missing"), ["gpu 5"], "7 of 8 GPUs listed; missing: gpu 5"),
    ("node.gpus", gpus("lost"), ["gpu 5"], "GPU is lost"),
    ("node.gpus", gpus("memory"), ["gpu 2", "gpu 5", "gpu 6"], "gpu 2: a memory row waits for a reset"),
    ("node.gpus", gpus("memory"), ["gpu 2", "gpu 5", "gpu 6"], "gpu 5: a memory row could not be remapped"),
    ("node.gpus", gpus("memory"), ["gpu 2", "gpu 5", "gpu 6"], "gpu 6: 3 uncorrectable errors of the SRAM"),
    ("node.gpus", gpus("none"), [f"gpu {i}" for i in range(8)], "0 of 8 GPUs listed"),
    ("node.gpus", wants(gpu_model="NVIDIA H200"), [f"gpu {i}" for i in range(8)], "not 'NVIDIA H200'"),
    ("node.gpus", wants(gpu_memory_mib=97871), [f"gpu {i}" for i in range(8)], "gpu 0 has 81559 MiB"),
    ("node.driver", wants(driver="565.57.01"), ["driver"], "driver 570.124.06 on 8 of 8 GPUs, not 565.57.01"),
    ("node.driver", gpus("mismatch"), ["driver"], "of different versions"),
    ("node.driver", gpus("no-driver"), ["driver"], "cannot reach the driver"),
    ("node.fabric_manager", says("nv-fabricmanager", "Fabric Manager version is : 595.71.05\n"),
     ["fabric manager"], "it is 595.71.05, not 570.124.06"),
    ("node.fabric_manager", lacks("nv-fabricmanager"), ["fabric manager"], "prints no version"),
    ("node.fabric_manager", says("systemctl", "failed\n", 3), ["fabric manager"],
     "nvidia-fabricmanager.service is failed"),
    ("node.fabric_manager", wants(nvlsm="2025.10.11"), ["fabric manager"], "module ib_umad is not loaded"),
    ("node.fabric_manager", gpus("unjoined"), ["fabric manager"], "gpu 7 is In Progress (N/A)"),
    ("node.dcgm_engine", dcgm("none"), ["dcgm"], "the host engine does not answer: Error: unable to establish"),
    ("node.dcgm_engine", dcgm("fewer"), ["dcgm"], "DCGM sees 7 of the 8 GPUs"),
    ("node.dcgm_engine", lacks("dcgmi"), ["dcgm"], "dcgmi is not installed"),
    ("node.dcgm_engine", wants(dcgm="4.5.2"), ["dcgm"], "dcgmi is 4.4.1, not 4.5.2"),
    ("node.containers", says("enroot", "4.2.1\n"), ["container runtime"], "enroot is 4.2.1, not 4.0.1"),
    ("node.containers", lacks("nvidia-ctk"), ["container runtime"], "nvidia-ctk is not installed"),
    ("node.containers", file("/etc/enroot/enroot.conf", "\n"), ["container runtime"], "where images are unpacked"),
    ("node.containers", closed, ["container runtime"], "may not unpack images in /var/lib/enroot/data: 755"),
    ("node.nics", file("/sys/class/net/rail3/operstate", "down\n"), ["rail 3"], "rail3 is down, with carrier"),
    ("node.nics", file("/sys/class/net/rail3/carrier", "0\n"), ["rail 3"], "no carrier"),
    ("node.nics", file("/sys/class/net/rail6/mtu", "1500\n"), ["rail 6"], "rail6 has MTU 1500, not 9000"),
    ("node.nics", changed("ip", "10.91.2.11", "10.91.2.12", "ip-address.json"), ["rail 2"], "not 10.91.2.11/24"),
    ("node.nics", changed("ip", '"rail4"', '"eth4"', "ip-address.json"), ["rail 4"], "rail4 has no address"),
    ("node.limits", says("srun", "8192\n1048576\n"), ["limits"], "may lock only 8192 KiB"),
    ("node.limits", says("srun", "unlimited\n1024\n"), ["limits"], "may open only 1024 files"),
    ("node.time", changed("chronyc", "Normal", "Not synchronised", "chronyc-tracking.csv"), ["time"], "not synch"),
    ("node.time", changed("chronyc", "-0.000001898", "-0.200000000", "chronyc-tracking.csv"), ["time"], "0.2 s off"),
    ("node.time", says("chronyc", "506 Cannot talk to daemon\n", 1), ["time"], "chronyd does not answer"),
    ("node.packages", changed("dpkg-query", "570.124.06", "565.57.01", "dpkg-query.txt"), ["driver"], "565.57.01-1"),
    ("node.packages", changed("dpkg-query", "hi ", "ii ", "dpkg-query.txt"), ["driver"], "nvidia-open is not held"),
    ("node.packages", changed("dpkg-query", "munge\t0.5.15-2+deb12u1\tii ", "munge\t0.5.15-2+deb12u1\trc ",
                              "dpkg-query.txt"), ["package munge"], "munge is not installed"),
    ("node.packages", changed("dpkg-query", "4.3-2", "4.30-2", "dpkg-query.txt"), ["package chrony"], "not 4.3"),
    ("node.mounts", file("/proc/mounts", "/dev/vda / ext4 rw 0 0\n"), ["mounts"], "is not mounted"),
    ("node.mounts", mounted("rw,nosuid,relatime"), ["mounts"], "without nodev: the node's next boot"),
    ("node.mounts", mounted("rw,nosuid,nodev", "rw,relatime"), ["mounts"], "without nosuid, nodev"),
    ("node.scheduler", file("/etc/slurm/slurm.conf", "HealthCheckInterval=3000\n"), ["slurm.conf"],
     "/etc/slurm/slurm.conf differs from ctl0's"),
    ("node.scheduler", gone("/etc/slurm/gres.conf"), ["slurm.conf"], "/etc/slurm/gres.conf differs from ctl0's"),
    ("node.scheduler", says("systemctl", "inactive\n", 3), ["slurmd"], "slurmd.service is inactive"),
    ("node.scheduler", says("unmunge", "unmunge: Error: Invalid credential\n", 14), ["munge key"],
     "differs from ctl0's"),
    ("node.scheduler", says("unmunge", 'unmunge: Error: Failed to access "/run/munge/munge.socket.2"\n', 6),
     ["munge"], "munged does not answer"),
    ("node.imds", says("setpriv", '["169.254.169.254"]'), ["imds"], "users reach the metadata service at 169.254.169.254"),
    ("node.logins", pam("account required pam_permit.so\n"), ["logins"], "an account without a job may log in"),
    ("node.logins", pam("account required pam_deny.so\n"), ["logins"], "root may not log in"),
]  # fmt: skip


@pytest.mark.parametrize("installed", ["2.42.0", "2.42.0-1", "2.42.0+ds-5+deb12u1", "1:2.42.0-1"])
def test_a_locked_version_stands_for_all_that_a_packager_adds(
    world: Any, monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    world.want["packages"] = {"prometheus": "2.42.0"}
    world.command("dpkg-query", f"prometheus\t{installed}\tii \n")
    assert world.check("node.packages", monkeypatch).verdict == "pass"
    for other in ("2.42.01-1", "2.42.0~rc1-1", "12.42.0-1"):
        world.command("dpkg-query", f"prometheus\t{other}\tii \n")
        assert world.check("node.packages", monkeypatch).verdict == "fail", other


DRIVEN = {"accepts": ">=580, <600", "kernel": False, "module": "nvidia", "packages": [], "file": ""}


@pytest.mark.parametrize(
    ("said", "verdict", "parts"),
    [(("580.173.02\n", 0), "pass", []), (("570.1\n", 0), "fail", ["driver"]), (("", 124), "unproven", [])],
)
def test_what_an_image_brings_is_blamed_by_its_part_and_only_where_it_was_read(
    world: Any, monkeypatch: pytest.MonkeyPatch, said: tuple[str, int], verdict: str, parts: list[str]
) -> None:
    world.want["image"]["brings"] = {"nvidia_driver": DRIVEN}
    world.command("modinfo", *said)
    found = world.check("node.packages", monkeypatch)
    assert (found.verdict, list(found.parts)) == (verdict, parts), found


@pytest.mark.parametrize(("claim", "harm", "parts", "reason"), BAD)
@pytest.mark.refutes(
    "node.containers",
    "node.dcgm_engine",
    "node.driver",
    "node.fabric_manager",
    "node.gpus",
    "node.imds",
    "node.limits",
    "node.logins",
    "node.mounts",
    "node.nics",
    "node.packages",
    "node.scheduler",
    "node.time",
)
def test_a_bad_node_fails_and_names_the_part(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    request: Any,
    claim: str,
    harm: Break,
    parts: list[str],
    reason: str,
) -> None:
    assert set(request.node.get_closest_marker("refutes").args) == {row[0] for row in BAD}
    harm(world)
    found = world.check(claim, monkeypatch)
    assert found.verdict == "fail", found
    assert list(found.parts) == parts
    assert reason in found.reason


UNKNOWN = [
    ("node.gpus", lacks("nvidia-smi"), "not installed"),
    ("node.gpus", gpus("mismatch"), "blocked by node.driver"),
    (
        "node.gpus",
        report("Segmentation fault\n"),
        "nvidia-smi -q reports on 0 of 8 GPUs: 'Segmentation fault'",
    ),
    ("node.driver", lacks("nvidia-smi"), "not installed"),
    ("node.driver", says("nvidia-smi", "Segmentation fault\n", 139), "named no driver version"),
    ("node.fabric_manager", gpus("mismatch"), "blocked by node.driver"),
    ("node.fabric_manager", gpus("lost"), "blocked by node.gpus"),
    (
        "node.fabric_manager",
        other_driver,
        "driver 565.57.01 is loaded, which fabric manager 570.124.06 refuses",
    ),
    ("node.fabric_manager", lacks("systemctl"), "systemctl is not installed"),
    (
        "node.dcgm_engine",
        dcgm("fewer", "missing"),
        "blocked by node.gpus: the driver lists 7 of 8 GPUs, DCGM 7",
    ),
    ("node.dcgm_engine", dcgm("fewer", "mismatch"), "blocked by node.gpus: the driver lists 0 of 8 GPUs"),
    ("node.nics", says("ip", "garbage"), "no JSON"),
    ("node.nics", says("ip", "", 1), "failed"),
    ("node.containers", says("stat", "", 124), "/var/lib/enroot/data: nothing"),
    ("node.limits", says("srun", "", 1), "no step on this node"),
    ("node.limits", says("srun", "unlimited\n"), "no step on this node"),
    ("node.time", lacks("chronyc"), "not installed"),
    ("node.packages", lacks("dpkg-query"), "not installed"),
    ("node.packages", wants(packages={}), "locks no package"),
    ("node.mounts", gone("/proc/mounts"), "cannot be read"),
    ("node.imds", lacks("setpriv"), "nobody could try it"),
    ("node.imds", says("setpriv", "Traceback"), "nobody could try it"),
    ("node.imds", says("setpriv", '["10.0.0.1"]'), "nobody could try it"),
    ("node.imds", says("python3", "[]"), "does not answer root either"),
    ("node.imds", wants(imds=[]), "names no metadata service"),
    ("node.scheduler", wants(scheduler={"controller": "ctl0", "error": "no answer"}), "ctl0 did not say"),
    ("node.scheduler", lacks("unmunge"), "unmunge is not installed"),
    ("node.scheduler", lacks("systemctl"), "systemctl is not installed"),
    (
        "node.logins",
        pam("account sufficient pam_succeed_if.so quiet user = root\naccount required pam_deny.so\n"),
        "is refused, but not for that",
    ),
]


@pytest.mark.parametrize(("claim", "harm", "reason"), UNKNOWN)
def test_what_cannot_be_seen_is_unproven(
    world: Any, monkeypatch: pytest.MonkeyPatch, claim: str, harm: Break, reason: str
) -> None:
    harm(world)
    found = world.check(claim, monkeypatch)
    assert found.verdict == "unproven", found
    assert reason in found.reason


def test_a_check_that_hangs_costs_its_own_claim(world: Any) -> None:
    gone("/proc/mounts")(world)
    os.mkfifo(world.root / "proc/mounts")
    world.want["limit_s"] = 1
    found = world.suite("node.mounts", "node.nics", "node.time", "node.identity")
    assert found["node.mounts"]["verdict"] == "unproven"
    assert found["node.mounts"]["reason"] == f"the check did not end within {apart.LEAST_S:g} s"
    assert {found[claim]["verdict"] for claim in ("node.nics", "node.time")} == {"pass"}
    assert found["node.identity"]["shown"], "what a child shows comes with its record"


def test_the_suite_tells_good_bad_unknown_and_crashed_apart(world: Any) -> None:
    gpus("missing")(world)
    lacks("chronyc")(world)
    wants(packages=None)(world)
    found = world.suite(*CLAIMS)
    verdicts = {claim: record["verdict"] for claim, record in found.items()}
    assert verdicts == {
        "node.gpus": "fail", "node.driver": "pass", "node.fabric_manager": "unproven", "node.dcgm_engine": "pass",
        "node.containers": "pass",
        "node.nics": "pass", "node.limits": "pass",
        "node.time": "unproven", "node.packages": "unproven", "node.mounts": "pass", "node.scheduler": "pass",
        "node.logins": "pass", "node.imds": "pass",
    }  # fmt: skip
    assert found["node.gpus"]["parts"] == ["gpu 5"]
    assert "the check crashed: " in found["node.packages"]["reason"]


def test_a_lost_gpu_does_not_hide_the_driver_of_the_others(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus("lost")(world)
    found = world.check("node.driver", monkeypatch)
    assert (found.verdict, found.reason) == ("pass", "driver 570.124.06 on 7 GPUs")


def test_tcp_rails_need_no_unlimited_memlock(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wants(memlock_min_kib=8192)(world)
    says("srun", "8192\n20000\n")(world)
    assert world.check("node.limits", monkeypatch).verdict == "pass"
    says("srun", "64\n20000\n")(world)
    assert world.check("node.limits", monkeypatch).verdict == "fail"


def test_the_step_runs_in_the_reservation_on_this_node(world: Any) -> None:
    world.command("srun", "unlimited\n1048576\n", arguments=(
        "--immediate=8 --quiet -N1 -n1 -w h100-0 --time=1 --mpi=none --job-name=railbed-limits "
        "--comment=railbed validate --reservation=railbed-acceptance sh -c ulimit -l; ulimit -n"))  # fmt: skip
    (world.folder / "answers/srun/any.out").unlink()
    assert world.suite("node.limits")["node.limits"]["verdict"] == "pass"


@pytest.mark.parametrize("said", ["Expired", "Rewound", "Replayed"])
def test_a_credential_that_comes_too_late_proves_the_key_all_the_same(
    world: Any, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    world.command("unmunge", f"unmunge: Error: {said} credential\n", 15)
    assert world.check("node.scheduler", monkeypatch).verdict == "pass"


def test_a_host_without_the_job_container_file_is_like_a_controller_without_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone("/etc/slurm/job_container.conf")(world)
    world.want["scheduler"]["files"]["job_container.conf"] = "missing"
    assert world.check("node.scheduler", monkeypatch).verdict == "pass"


OWN = "7F7F0101,,8,1796025505.896511164,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.0,0.0,0.0,Normal\n"
"""`chronyc -n -c tracking` of the lab's controller, which serves its own clock."""


@pytest.mark.parametrize(
    ("own_machine", "container", "verdict"),
    [(True, False, "unproven"), (False, False, "pass"), (True, True, "pass")],
)
def test_a_machine_that_follows_its_own_clock_shows_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch, own_machine: bool, container: bool, verdict: str
) -> None:
    """A container's clock is the one of the machine that runs it, which that machine answers for."""
    world.command("chronyc", OWN)
    world.want["time_source"] = own_machine
    if container:
        world.write("/run/systemd/container", "systemd-nspawn\n")
    found = world.check("node.time", monkeypatch)
    assert found.verdict == verdict
    assert ("site.ntp" in found.reason) == (verdict == "unproven")
