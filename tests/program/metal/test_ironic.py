"""The Machine resource by the real Ironic, railbed's own, against the Redfish emulator: all BMCs simulated, no machine boots.

Ironic's deploy interface is ``ramdisk``, an ISO that the BMC shows; once it is ``direct``, with a stand-in for the agent.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from railbed.effects.bmc import hostkey, power, record
from railbed.effects.ironic import node, process, venv
from railbed.effects.ironic.client import Nodes
from railbed.effects.ironic.config import Where
from railbed.errors import RailbedError
from railbed.run import run

from .agent import answering
from .conftest import Images
from .emulator import DISCS, PASSWORD, USER, Emulator, machine, serial_of, uuid
from .ironic_site import OPERATOR, ROOT, Site, Stack, free_port

FLOW, OTHER, KILLED, WRITTEN, SITE_S = range(5)
DISKS = {"d0": "S-0", "d1": "S-1"}
MACHINES = [machine(i, versions={"BiosVersion": "2.1.8"}, install_s=3600, drives=DISKS) for i in range(5)]
DEVICES = {**DISCS, "Usb": {"Name": "Virtual stick", "MediaTypes": ["USBStick"]}}
"""Ironic gives a config drive to what it boots from an ISO on a stick."""


@pytest.fixture(scope="module")
def python() -> Path:
    if shutil.which("setpriv") is None or not any(shutil.which(one) for one in process.ISO_MAKERS):
        pytest.skip(
            "not run: this machine has no setpriv, or nothing that makes ISO images (apt install xorriso)"
        )
    os.environ["PATH"] = f"{ROOT / '.railbed/uv/bin'}:{os.environ['PATH']}"
    try:
        made = venv.ensure(ROOT)
    except RailbedError as absent:
        pytest.skip(f"not run: Ironic's packages cannot be had: {absent.message[-300:]}")
    shut = venv.closed(process.PROGRAM.absolute()) or venv.closed(made.absolute())
    if os.geteuid() == 0 and shut is not None:
        pytest.skip(f"not run: Ironic's own user cannot enter {shut}")
    return made


@pytest.fixture(scope="module")
def stack(python: Path, redfish: Emulator) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="railbed-ironic-"))
    folder.chmod(0o755)
    try:
        made = Stack(folder, python, redfish.certificate)
        yield made
        made.close()
        assert not (folder / "ironic").exists(), "no machine is half-way, so its state goes with all secrets"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def site(redfish: Emulator, images: Images, stack: Stack) -> Site:
    return Site(redfish, images, stack)


def test_from_powered_off_to_the_facts_of_a_contract(site: Site) -> None:
    made = site.create(FLOW, disk={"serial": "S-1"})
    assert site.redfish.system(FLOW)["PowerState"] == "On"
    assert made["emulated"] is True
    (fetched,) = site.redfish.fetched()
    told = yaml.safe_load(site.redfish.seed_file("openstack/latest/user_data", fetched))
    assert made["known_host_key"] == hostkey.bare(told["ssh_keys"]["ed25519_public"])
    assert told["users"][0]["ssh_authorized_keys"] == [OPERATOR]
    network = json.loads(site.redfish.seed_file("openstack/latest/network_data.json", fetched))
    assert network["networks"][0]["ip_address"] == f"10.80.0.{FLOW}"
    # The machine is no longer Ironic's, and nothing of the private key is left on this side.
    assert site.stack.nodes.names() == []
    assert list((site.stack.folder / "secrets").iterdir()) == []
    assert "PRIVATE KEY" not in json.dumps(made)

    before = site.redfish.writes()
    assert site.create(FLOW)["known_host_key"] == made["known_host_key"]
    assert site.redfish.writes() == before, "a second run only reads"


def writes(path: Path, uid: int) -> bool:
    """Whether user and group ``uid`` may change what is in the folder."""
    of = path.stat()
    return bool(of.st_mode & (0o200 if of.st_uid == uid else 0o020 if of.st_gid == uid else 0o002))


def test_it_runs_for_itself_and_listens_on_one_address(site: Site) -> None:
    own, status = site.stack.ironic, Path(f"/proc/{site.stack.ironic.session.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids
    assert "NoNewPrivs:\t1" in status
    modes = {path.name: path.stat().st_mode & 0o077 for path in own.folder.rglob("*")}
    assert {
        modes[name] for name in ("ironic.sqlite", "users", "key.pem", "ironic.conf", "token", "state")
    } == {0}
    assert own.folder.stat().st_mode & 0o007 == 0
    writable = [
        path for path in (own.folder, *own.folder.rglob("*")) if path.is_dir() and writes(path, int(uids[0]))
    ]
    assert {path.relative_to(own.folder).parts[0] for path in writable} == {"state"} or os.geteuid() != 0
    assert own.access.password not in "".join(
        p.read_text(errors="replace") for p in own.folder.rglob("*") if p.is_file()
    )
    assert (own.folder / "token").read_text() in {
        path.name for path in (own.folder / "state/files").iterdir()
    }
    ports = {f"{port:04X}" for port in (site.stack.where.port, site.stack.where.files_port)}
    rows = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert {row.split(":")[0] for row in rows if row.split(":")[1] in ports} == {"0100007F"}
    plain = requests.get(f"{site.stack.where.url}/v1/nodes", verify=own.access.ca_file, timeout=10)
    assert plain.status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{site.stack.where.url}/v1/nodes", timeout=10)
    listed = requests.get(f"{site.stack.where.files_url}/redfish/", verify=own.access.ca_file, timeout=10)
    assert listed.status_code == 404


def untouched(site: Site, index: int, act: Callable[[], object]) -> RailbedError:
    """The error of ``act``, and proof that it sent nothing that changes a machine."""
    before, system = site.redfish.writes(), site.redfish.system(index)
    with pytest.raises(RailbedError) as caught:
        act()
    assert site.redfish.writes() == before
    assert site.redfish.system(index) == system
    return caught.value


def test_another_machine_s_serial_or_password_or_none_at_all_stops_before_ironic_is_asked(site: Site) -> None:
    assert untouched(site, OTHER, lambda: site.create(OTHER, serial="SN-BEFORE")).code == "MACHINE_IDENTITY"
    silent = f"https://127.0.0.1:{free_port()}"
    assert untouched(site, OTHER, lambda: site.create(OTHER, bmc=silent)).code == "BMC_SILENT"
    for hint in ({"serial": "S-NOT-THERE"}, {"model": "emulated drive"}):
        error = untouched(site, OTHER, lambda hint=hint: site.create(OTHER, disk=hint))  # type: ignore[misc]
        assert (error.code, len(error.found)) == ("DISK_HINT", 2)
    site.stack.credentials.write_text(f'user: "{USER}"\npassword: "wrong"\n')
    try:
        assert untouched(site, OTHER, lambda: site.create(OTHER)).code == "BMC_REFUSED"
    finally:
        site.stack.credentials.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
    assert site.stack.nodes.names() == []


@pytest.mark.parametrize(
    ("serial", "password", "said"),
    [("SN-BEFORE", PASSWORD, "MACHINE_IDENTITY"), (serial_of(1), "wrong", "401")],
)
def test_ironic_itself_asks_for_the_serial_number(site: Site, serial: str, password: str, said: str) -> None:
    """The gap between railbed's look and Ironic's request: the machine at the BMC's address is another by then."""
    files = node.Files("file:///none", "file:///none", "file:///none")
    info = node.driver_info(
        site.redfish.url, f"/redfish/v1/Systems/{uuid(OTHER)}", USER, password,
        str(site.stack.ironic.folder / "authorities.pem"), files,
    )  # fmt: skip
    nodes = site.stack.nodes

    def verify() -> None:
        nodes.create("guarded", {"driver_info": info, "extra": {node.SERIAL: serial}})
        nodes.provision("guarded", "manage")
        while (seen := nodes.see("guarded")) and (seen.state == "verifying" or not seen.error):
            time.sleep(0.5)
        raise RailbedError(f"{seen and seen.state}: {seen and seen.error}")

    try:
        error = untouched(site, OTHER, verify)
    finally:
        nodes.forget("guarded")
    assert error.message.startswith("enroll: ")
    assert said in error.message


def test_a_machine_of_another_stack_is_left_alone(site: Site) -> None:
    site.stack.nodes.create(f"h100-{OTHER}", {"extra": {node.OWNER: "site/other"}})
    try:
        error = untouched(site, OTHER, lambda: site.create(OTHER))
    finally:
        site.stack.nodes.forget(f"h100-{OTHER}")
    assert (error.code, "site/other" in error.message) == ("MACHINE_IN_USE", True)
    assert record.load(site.stack.folder / "metal", serial_of(OTHER)) is None, "nothing was begun"


def test_a_second_operator_is_told_who_is_at_work(site: Site, python: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from railbed.effects.ironic import config, process\n"
        "with process.running(Path(sys.argv[1]), config.Where('127.0.0.1', 1, 2), Path(sys.argv[2]), list): pass"
    )
    done = run([sys.executable, "-c", code, site.stack.ironic.folder, python], check=False)
    assert "railbed.errors.Busy" in done.stderr
    assert f"process {os.getpid()}" in done.stderr


def killed_in(site: Site, index: int, state: str, **changes: Any) -> RailbedError:
    """Ends Ironic, as a kill -9 does, once the machine's node is in ``state``; what the run under way is told."""
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(site.create, index, **changes)
        nodes, name = site.stack.nodes, f"h100-{index}"
        while not making.done() and ((seen := nodes.see(name)) is None or seen.state != state):
            time.sleep(0.1)
        os.kill(site.stack.ironic.session.pid, signal.SIGKILL)
        error = making.exception()
    assert isinstance(error, RailbedError), error
    return error


def test_a_run_goes_on_after_ironic_was_killed_in_the_middle(site: Site) -> None:
    """A deployment that was cut short is begun again, with the host key of before; BIOS settings are as asked."""
    bios = {"SriovGlobalEnable": "Enabled"}
    assert killed_in(site, KILLED, "deploying", bios=bios).code == "IRONIC_SILENT"
    last = record.load(site.stack.folder / "metal", serial_of(KILLED))
    assert last is not None
    assert last.state == "started"
    site.stack.restart()
    made = site.create(KILLED, bios=bios)
    assert last.host_key == made["known_host_key"], "the key that was made first is the machine's"
    assert (
        site.redfish.get(f"/redfish/v1/Systems/{uuid(KILLED)}/BIOS")["Attributes"]["SriovGlobalEnable"]
        == "Enabled"
    )


def test_a_run_goes_on_with_another_wish_than_the_one_that_was_killed(site: Site) -> None:
    """The spec was mended in between: what was under way is given up, and nothing of it counts as done."""
    assert killed_in(site, KILLED, "deploying", generation=2, disk={"serial": "S-0"}).code == "IRONIC_SILENT"
    site.stack.restart()
    nodes, name, states = site.stack.nodes, f"h100-{KILLED}", set[str]()
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(site.create, KILLED, generation=2, disk={"serial": "S-1"})
        while not making.done():
            seen = nodes.see(name)
            states |= {seen.state} if seen else set()
            time.sleep(0.1)
        assert making.result()["made_generation"] == 2
    assert states & {"deleting", "available"}, states


def test_a_site_s_own_node_is_used_and_never_cleaned(site: Site) -> None:
    """The site's Ironic is played by railbed's own: its guard sees the same serial, its nodes stay when railbed is done."""
    own, nodes, name = site.stack.ironic, site.stack.nodes, f"h100-{SITE_S}"
    credentials = site.stack.folder / "ironic.yaml"
    credentials.write_text(f'user: "{own.access.user}"\npassword: "{own.access.password}"\n')
    credentials.chmod(0o600)
    by = {
        "where": {},
        "site": {"url": own.access.url, "ca_file": own.access.ca_file, "credentials": str(credentials)},
    }
    files = node.Files(*(f"{site.images.url}/{part}" for part in ("kernel", "ramdisk", "esp")))
    info = node.driver_info(
        site.redfish.url,
        f"/redfish/v1/Systems/{uuid(SITE_S)}",
        USER,
        PASSWORD,
        str(own.folder / "authorities.pem"),
        files,
    )
    nodes.create(name, {"driver_info": info, "properties": {"rack": "r1"}})
    nodes.patch(name, {"automated_clean": True, "lessee": "red"})
    try:
        assert untouched(site, SITE_S, lambda: site.create(SITE_S, **by)).code == "MACHINE_IN_USE"
        nodes.patch(
            name, {"lessee": None, "driver_info/redfish_system_id": f"/redfish/v1/Systems/{uuid(FLOW)}"}
        )
        assert untouched(site, SITE_S, lambda: site.create(SITE_S, **by)).code == "MACHINE_IN_USE"
        nodes.patch(name, {"driver_info/redfish_system_id": info["redfish_system_id"]})
        site.create(SITE_S, **by)
        made = nodes.see(name)
        assert made is not None
        assert (made.state, made.deployed, made.enrolled, made.cleans) == ("active", 1, False, False)
        nodes.patch(name, {"automated_clean": True})
        site.create(SITE_S, generation=2, **by)
        again = nodes.see(name)
        assert again is not None
        assert (again.state, again.deployed, again.cleans) == ("active", 2, False)
    finally:
        nodes.forget(name)


def test_a_refresh_sees_power_and_settings_and_nothing_is_installed_again(site: Site) -> None:
    made = site.create(FLOW)
    inputs = {**site.wanted(FLOW).inputs(), **made}
    power.turn_off(site.redfish.bmc(FLOW))
    seen = site.resource().read({**inputs, "bios": {"ProcTurboMode": "Disabled"}})
    assert seen is not None
    assert (seen["power"], seen["bios_drift"]) == ("off", ["ProcTurboMode: Enabled, wanted Disabled"])
    assert seen["system_drift"] == []
    other = site.resource().read({**inputs, "made_generation": 2})
    assert other is not None
    assert other["system_drift"] == ["generation 1 is on it, the state says 2"]
    before = [line for line in site.redfish.writes() if "VirtualMedia" in line]
    site.resource().update(inputs)
    assert [line for line in site.redfish.writes() if "VirtualMedia" in line] == before
    error = untouched(
        site, FLOW, lambda: site.resource().update({**inputs, "bios": {"ProcTurboMode": "Disabled"}})
    )
    assert error.code == "BIOS_SETTINGS"


def test_the_image_is_written_to_a_mirror_of_disks_that_were_emptied(site: Site, tmp_path: Path) -> None:
    """Ironic's ``direct`` interface, as at a site; the machine's agent is a stand-in that says yes."""
    inputs = site.wanted(
        WRITTEN, mirror=[{"serial": "S-0"}, {"serial": "S-1"}], erase="metadata", image_url=f"{site.images.url}/node.qcow2",
        image_sha256=site.qcow2(),
    ).inputs()  # fmt: skip
    nodes, name, discs = site.stack.nodes, f"h100-{WRITTEN}", set[str]()

    def disc() -> str:
        drive = site.redfish.drive(WRITTEN, "Cd")
        if drive["Inserted"]:
            discs.add(str(drive["Image"]))
        return str(drive["Image"]) if drive["Inserted"] else ""

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(site.resource("direct").create, inputs)
        while (enrolled := nodes.see(name)) is None and not making.done():
            time.sleep(0.2)
        assert enrolled is not None, making.exception()
        with answering(site.stack.where.url, site.stack.ironic.access.ca_file, name, tmp_path, disc) as agent:
            error = making.exception()
            assert error is None, (error, agent.names(), agent.refused)
            made = making.result()
    secret = f"{site.stack.where.files_url}/{(site.stack.ironic.folder / 'token').read_text()}/"
    assert {url.startswith(secret) for url in discs} == {True}, (
        "only who knows the path reads tokens and keys"
    )
    cleaned = [params["step"]["step"] for params in agent.given("execute_clean_step")]
    assert cleaned == ["delete_configuration", "erase_devices_metadata", "create_configuration"]
    joined = agent.given("execute_clean_step")[-1]["node"]["target_raid_config"]["logical_disks"]
    assert [one["physical_disks"] for one in joined] == [[{"serial": "S-0"}, {"serial": "S-1"}]]
    steps = [one["step"] for one in agent.given("execute_deploy_step")]
    (written,) = [step["args"] for step in steps if step["step"] == "write_image"]
    assert written["image_info"]["os_hash_value"] == inputs["install"]["image_sha256"]
    assert written["image_info"]["urls"] == [inputs["install"]["image_url"]]
    assert written["configdrive"]
    assert made["known_host_key"].startswith("ssh-ed25519 AAAA")


def test_a_database_that_cannot_be_used_is_told_as_such_and_stays(python: Path) -> None:
    """A run that was killed left it; nothing is overwritten, and the same command goes on once it is whole and nobody's."""
    folder = Path(tempfile.mkdtemp(prefix="railbed-ironic-"))
    folder.chmod(0o755)
    how = (folder / "ironic", Where("127.0.0.1", free_port(), free_port()), python, lambda: ["h100-0"], "")

    def refused() -> str:
        with pytest.raises(RailbedError) as caught, process.running(*how):
            pass
        assert caught.value.code == "IRONIC_DATABASE"
        return caught.value.message

    try:
        with process.running(*how) as running:
            Nodes(running.access).create("h100-0", {"extra": {}})
        database = folder / "ironic/state/ironic.sqlite"
        content = database.read_bytes()
        for damaged in (b"not a database" * 100, content[: len(content) // 2]):
            database.write_bytes(damaged)
            assert "is damaged" in refused()
            assert database.read_bytes() == damaged
        database.write_bytes(content)
        with closing(sqlite3.connect(database)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            assert "another process holds" in refused()
        with process.running(*how) as running:
            assert Nodes(running.access).names() == ["h100-0"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
