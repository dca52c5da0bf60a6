"""Role nccl where a provider ships a network plugin of its own."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from tests.roles.conftest import Recorded, record
from tests.roles.test_rails import routed

from railbed import catalog

TOLD = {"NCCL_NET": "gIB", "NCCL_SOCKET_IFNAME": "enp0s1,enp192s1"}
LIBRARIES = "/etc/ld.so.conf.d/railbed-nccl-plugin.conf"
LOGINS = "/etc/profile.d/railbed-nccl.sh"


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    contract = routed(nccl_environment=TOLD)
    yield record(tmp_path_factory.mktemp("gib") / "checkout", contract, container=False, tags="nccl")


def test_what_the_providers_script_sets_reaches_jobs_by_nccls_own_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("script")
    script = folder / "set_nccl_env.sh"
    script.write_text(
        "echo noise\nexport NCCL_NET=Other NCCL_CROSS_NIC=0 NCCL_ODD='a b' LD_PRELOAD_LIKE=1 NCCL_TUNER_CONFIG_PATH=/a/b.txt\n"
    )
    plugin = f'{{"nccl_plugin": {{"script": "{script}", "libraries": "/l"}}}}'
    (folder / "vars.json").write_text(plugin)
    contract = routed(nccl_environment=TOLD)
    made = record(folder / "checkout", contract, container=False, tags="nccl", extra=folder / "vars.json")
    assert made.text("h100-0", "/etc/nccl.conf").splitlines()[1:] == [
        "NCCL_CROSS_NIC=0", "NCCL_TUNER_CONFIG_PATH=/a/b.txt", *(f"{name}={value}" for name, value in TOLD.items()),
    ]  # fmt: skip


def test_the_loader_finds_the_plugin_and_logins_take_the_provider_s_values(google: Recorded) -> None:
    assert google.text("h100-0", LIBRARIES) == "/usr/local/gib/lib64\n"
    logins = google.text("h100-0", LOGINS).splitlines()
    script = logins.index("  . /usr/local/gib/scripts/set_nccl_env.sh")
    assert logins[script + 2 :] == [
        line for name, value in TOLD.items() for line in (f"{name}={value}", f"export {name}")
    ]
    assert google.text("h100-0", "/etc/nccl.conf").splitlines()[1:] == [f"{k}={v}" for k, v in TOLD.items()]


def test_without_such_a_plugin_there_is_neither(machines: Recorded) -> None:
    assert not {LIBRARIES, LOGINS} & set(machines.files["h100-0"])


AZURE = "/etc/railbed/nccl-topology-azure-nd-h100-v5.xml"


def test_a_topology_pairs_each_gpu_with_its_card(tmp_path_factory: pytest.TempPathFactory) -> None:
    contract = routed(nccl_environment={"NCCL_TOPO_FILE": AZURE})
    made = record(tmp_path_factory.mktemp("topo") / "checkout", contract, container=False, tags="nccl")
    system = ElementTree.fromstring(made.text("h100-0", AZURE))
    switches = system.findall("cpu/pci")
    pairs = [[one.get("busid") for one in switch] for switch in switches]
    assert [len(cpu) for cpu in system] == [4, 4]
    assert len({switch.get("busid") for switch in switches}) == 8
    assert pairs[0] == ["0001:00:00.0", "0101:00:00.0"] and pairs[7] == ["000c:00:00.0", "0108:00:00.0"]
    assert [card for _, card in pairs] == sorted(str(card) for _, card in pairs), (
        "mlx5_ib by PCI address is the rail"
    )


def test_nodes_take_what_a_search_may_find(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = {name: knob.values[-1] for name, knob in catalog.load_tuning("roce").knobs.items()}
    contract = routed(nccl_environment=found)
    made = record(tmp_path_factory.mktemp("tuned") / "checkout", contract, container=False, tags="nccl")
    assert not made.collector.nodes["h100-0"].failed_task
    lines = made.text("h100-0", "/etc/nccl.conf").splitlines()
    assert {f"{name}={value}" for name, value in found.items()} <= set(lines)
