"""Role imds: only root opens connections to a metadata service; what else stands at the same address goes on."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "roles/imds/files/imds.py"
V4, V6, GUEST = "169.254.169.254", "fd00:ec2::254", "10.9.9.2"
NOBODY = 65534
PYTHON = "/usr/bin/python3"
"""Any user may run it; a Python of root's own folder he may not."""
NEEDS_NFT = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/sbin/nft").exists(), reason="loads rules into a network namespace"
)


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("imds", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["imds"] = module
    spec.loader.exec_module(module)
    return module


IMDS = _load()


# --- the rules as text -------------------------------------------------------------------------------------------------


def test_logins_that_a_node_lacks_are_passed_over() -> None:
    assert IMDS.uids([]) == [0]
    assert IMDS.uids(["root", "no-such-login", "daemon"]) == [0, 1]


def test_each_family_has_its_rule_in_both_chains() -> None:
    text = IMDS.rules([V4, V6], [0, 998])
    output, forward = text.split("chain output")[1].split("chain forward")
    assert "meta skuid { 0, 998 } accept" in output and "skuid" not in forward
    for chain in (output, forward):
        assert f"ip daddr {V4} tcp dport != 53" in chain and f"ip6 daddr {V6} tcp dport != 53" in chain


@pytest.mark.parametrize("wrong", ["10.0.0.0/8", "metadata.example", "169.254.169.254; accept"])
def test_what_is_no_address_loads_nothing(wrong: str) -> None:
    with pytest.raises(ValueError):
        IMDS.rules([wrong], [0])


# --- the rules in a kernel ---------------------------------------------------------------------------------------------

SERVER = """
import selectors, socket, sys
watched = selectors.DefaultSelector()
for family, host, port in ((socket.AF_INET, "0.0.0.0", 80), (socket.AF_INET, "0.0.0.0", 53), (socket.AF_INET6, "::", 80)):
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((host, port)); one.listen(); watched.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in watched.select():
        link, _ = key.fileobj.accept(); link.sendall(b"secret"); link.close()
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as link: print(link.recv(6).decode())
except OSError as refused: print(type(refused).__name__)
"""


class Node:
    """A network namespace whose metadata service is a program in another one, and a guest with a network of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.node, self.provider, self.guest = (self._space() for _ in range(3))
        self._join(self.node, "10.8.8.1/24", self.provider, "10.8.8.2/24")
        self._join(self.node, "10.9.9.1/24", self.guest, f"{GUEST}/24")
        self.inside(self.provider, "ip", "addr", "add", f"{V4}/32", "dev", "lo")
        self.inside(self.node, "ip", "route", "add", f"{V4}/32", "via", "10.8.8.2")
        self.inside(self.node, "ip", "addr", "add", f"{V6}/128", "dev", "lo")
        self.inside(self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.inside(self.guest, "ip", "route", "add", "default", "via", "10.9.9.1")
        self.inside(self.provider, "ip", "route", "add", "default", "via", "10.8.8.1")
        for space in (self.provider, self.node):
            self._serve(space)

    def _space(self) -> int:
        made = subprocess.Popen(["unshare", "-n", "sleep", "300"])
        self.stack.callback(made.wait)
        self.stack.callback(made.kill)
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{made.pid}/ns/net").readlink() == own:
            time.sleep(0.02)
        self.inside(made.pid, "ip", "link", "set", "lo", "up")
        return made.pid

    def _join(self, one: int, address: str, other: int, peer: str) -> None:
        left, right = f"v{other}a", f"v{other}b"
        self.inside(
            one, "ip", "link", "add", left, "type", "veth", "peer", "name", right, "netns", str(other)
        )
        for space, link, own in ((one, left, address), (other, right, peer)):
            self.inside(space, "ip", "addr", "add", own, "dev", link)
            self.inside(space, "ip", "link", "set", link, "up")

    def _serve(self, space: int) -> None:
        argv = ["nsenter", "-t", str(space), "-n", sys.executable, "-c", SERVER]
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.stack.callback(server.wait)
        self.stack.callback(server.kill)
        assert server.stdout is not None and server.stdout.readline() == "ready\n"

    def inside(self, space: int, *argv: str, **more: Any) -> str:
        done = subprocess.run(
            ["nsenter", "-t", str(space), "-n", *argv], capture_output=True, text=True, check=True, **more
        )
        return done.stdout

    def guard(self, *users: str) -> None:
        settings = self.folder / "imds.json"
        settings.write_text(json.dumps({"addresses": [V4, V6], "users": list(users)}))
        self.inside(self.node, sys.executable, str(PROGRAM), str(settings))

    def asks(self, uid: int, address: str = V4, port: int = 80, space: int = 0) -> str:
        """What a program of that user gets."""
        argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", PYTHON, "-c", CLIENT]
        return self.inside(space or self.node, *argv, address, str(port)).strip()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with ExitStack() as stack:
        yield Node(stack, tmp_path)


@NEEDS_NFT
def test_only_root_reaches_the_service(node: Node) -> None:
    assert node.asks(NOBODY) == node.asks(NOBODY, V6) == "secret", "the test itself reaches nothing"
    node.guard()
    assert node.asks(0) == node.asks(0, V6) == "secret"
    assert node.asks(NOBODY) == node.asks(NOBODY, V6) == "ConnectionRefusedError"


@NEEDS_NFT
def test_names_and_other_addresses_go_on(node: Node) -> None:
    node.guard()
    assert node.asks(NOBODY, V4, 53) == "secret", "some providers answer DNS there"
    assert node.asks(NOBODY, "10.8.8.2") == "secret"


@NEEDS_NFT
def test_a_user_namespace_does_not_make_one_root(node: Node) -> None:
    node.guard()
    argv = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "unshare",
        "-Ur",
        PYTHON,
        "-c",
        CLIENT,
    ]
    try:
        said = node.inside(node.node, *argv, V4, "80").strip()
    except subprocess.CalledProcessError as none:
        pytest.skip(f"no user namespaces here: {none.stderr}")
    assert said == "ConnectionRefusedError"


@NEEDS_NFT
def test_a_container_with_its_own_network_does_not_reach_it(node: Node) -> None:
    assert node.asks(0, space=node.guest) == "secret", "the test itself reaches nothing"
    node.guard()
    assert node.asks(0, space=node.guest) == "ConnectionRefusedError"
    assert node.asks(0, "10.8.8.2", space=node.guest) == "secret"


@NEEDS_NFT
def test_an_agent_that_is_named_reaches_it(node: Node) -> None:
    node.guard("no-such-login", "daemon")
    assert node.asks(1) == "secret" and node.asks(NOBODY) == "ConnectionRefusedError"


@NEEDS_NFT
def test_loading_again_changes_nothing_and_others_rules_stay(node: Node) -> None:
    node.inside(node.node, "/usr/sbin/nft", "add table inet theirs")
    node.guard()
    first = node.inside(node.node, "/usr/sbin/nft", "list", "ruleset")
    node.guard()
    assert node.inside(node.node, "/usr/sbin/nft", "list", "ruleset") == first
    for _ in range(2):
        node.inside(node.node, sys.executable, str(PROGRAM), "--off")
    assert node.inside(node.node, "/usr/sbin/nft", "list", "tables").strip() == "table inet theirs"
    assert node.asks(NOBODY) == "secret"


@NEEDS_NFT
def test_settings_that_do_not_hold_keep_what_was_loaded(node: Node) -> None:
    node.guard()
    (node.folder / "imds.json").write_text(json.dumps({"addresses": ["not-an-address"], "users": []}))
    with pytest.raises(subprocess.CalledProcessError):
        node.inside(node.node, sys.executable, str(PROGRAM), str(node.folder / "imds.json"))
    assert node.asks(NOBODY) == "ConnectionRefusedError"


CHECK = f"""
import os, sys
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
sys.path.insert(0, {str(ROOT / "infra")!r})
from railbed.validate.node.probe import Probe
from railbed.validate.node.test_imds import metadata_service
found = metadata_service(Probe(), {{"imds": sys.argv[1:]}})
print(found.verdict, found.reason)
"""


@NEEDS_NFT
def test_the_check_of_a_node_tells_with_and_without_the_rules(node: Node) -> None:
    def judged(*addresses: str) -> str:
        return node.inside(node.node, sys.executable, "-c", CHECK, *addresses).strip()

    assert judged(V4, V6) == f"fail users reach the metadata service at {V4}, {V6}"
    node.guard()
    assert judged(V4, V6) == f"pass only root reaches {V4}, {V6}"
    assert judged("10.8.8.3").startswith("unproven the metadata service does not answer root either")


# --- what nodes get ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A cluster whose provider has a metadata service."""
    contract = cluster(imds=[V4, V6], simulated=False, hosts="machine")
    return record(
        tmp_path_factory.mktemp("imds") / "checkout", contract, container=False, tags="packages,imds"
    )


def test_every_node_of_a_cloud_gets_the_rules(cloud: Recorded) -> None:
    assert set(cloud.asked) == {"ctl0", "h100-0", "h100-1", "h100-2"}
    for node, asked in cloud.asked.items():
        assert "nftables" in str(asked["packages: Install the packages of all roles"]), node
        assert json.loads(cloud.text(node, "/etc/railbed/imds.json"))["addresses"] == [V4, V6]
        (unit,) = asked["imds: Keep the metadata service for root"]["units"]
        assert unit["name"] == "railbed-imds.service" and "/etc/railbed/imds.json" in unit["files"]
        assert cloud.files[node]["/opt/railbed/imds/imds.py"]["mode"] == "0755"


def test_nodes_without_a_metadata_service_get_none(lab: Recorded) -> None:
    assert not [task for asked in lab.asked.values() for task in asked if task.startswith("imds:")]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return ask(REFUSALS, tmp_path_factory.mktemp("refusals"))


REFUSALS = [
    Case("whole", "imds", {"imds_addresses": [V4, V6]}),
    Case("no address", "imds", {"imds_addresses": []}, "Not an address"),
    Case("a network", "imds", {"imds_addresses": ["10.0.0.0/8"]}, "Not an address: 10.0.0.0/8"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_what_the_role_refuses(case: Case, refused: dict[str, str]) -> None:
    assert case.says in refused[case.name] if case.says else refused[case.name] == ""


def test_the_unit_is_there_before_the_network_and_after_what_flushes() -> None:
    unit = (ROOT / "roles/imds/files/imds.service").read_text()
    for line in (
        "Before=network-pre.target",
        "PartOf=nftables.service",
        "After=local-fs.target nftables.service",
    ):
        assert line in unit
