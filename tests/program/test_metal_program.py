"""The metal program under mocks: machines by name, rails on the planner's leaves, and a contract that says what is emulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from tests.program.clouds.recording import Run, run

from railbed import plan as plans
from railbed import platforms, spec
from railbed.catalog import load_release
from railbed.effects import contract_store, local_repository, local_wheels
from railbed.effects.mirror.wheels import lists as wheel_lists
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.platforms.metal import fabric

ROOT = Path(__file__).resolve().parents[2]
OWN = local_repository.LocalRepository(
    "0123456789ab",
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nYQ==\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "0" * 40,
    {},
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43


def answers(_typ: str, name: str, _inputs: dict[str, Any]) -> dict[str, Any]:
    return {"known_host_key": f"{KEY[:-8]}{abs(hash(name)) % 10**8:08d}", "emulated": name == "blue-1"}


def no_calls(token: str, _args: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(f"metal asks no provider, but called {token}")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("Pulumi.yaml", "infra", "examples", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(example: str) -> tuple[plans.ClusterPlan, Run]:
    planned = plans.plan(spec.load(ROOT / f"examples/{example}.yaml"))
    return planned, run(lambda: platforms.build(planned, Workspace(Path.cwd(), "test")), answers, no_calls)


def test_sixty_four_nodes_spares_and_a_pair_of_controllers(checkout: Path) -> None:
    planned, done = made("metal-cluster")
    contract = contract_store.parse(Workspace(Path.cwd(), "test"), done.contract, "metal")
    assert len(done.of(":Machine")) == len(contract.nodes) == 64 + planned.spare_nodes + 2
    assert not contract.simulated
    assert contract.missing == []
    assert [node.name for node in contract.with_role("controller")] == ["ctl0", "ctl1"]
    assert {one.identity.kind for one in contract.nodes} == {"serial"}
    assert contract.filesystems[0].source == "10.82.250.1@o2ib:/scratch"
    assert sum(node.role == "spare" for node in contract.nodes) == planned.spare_nodes


def test_rails_end_on_the_planner_s_leaves(checkout: Path) -> None:
    planned, done = made("metal-cluster")
    contract = contract_store.parse(Workspace(Path.cwd(), "test"), done.contract, "metal")
    workers = contract.with_role("compute", "spare")
    ends = [(nic.switch, nic.port) for node in workers for rail in node.rails for nic in rail.nics]
    assert len(ends) == len(set(ends)) == 8 * len(workers), "a port holds one cable"
    first_unit = [node for node in workers if node.scalable_unit == 0]
    assert len(first_unit) == 32, "a leaf of 64 ports has 32 towards nodes"
    for rail in range(8):
        assert len({node.rails[rail].nics[0].switch for node in first_unit}) == 1, "rail-optimised"
    assert all(rail.address == "" and rail.rate_gbps == 400 for node in workers for rail in node.rails)
    assert fabric.scalable_unit(planned, planned.place) == 32  # type: ignore[arg-type]


def test_emulated_machines_make_the_contract_simulated(checkout: Path) -> None:
    _, done = made("metal-hosts")
    assert contract_store.parse(Workspace(Path.cwd(), "test"), done.contract, "metal").simulated


def test_a_filesystem_that_would_have_to_be_made_is_refused() -> None:
    data = spec.load(ROOT / "examples/metal-cluster.yaml").model_dump(mode="json")
    del data["filesystems"][0]["existing"]
    with pytest.raises(Unsupported, match="making a filesystem"):
        plans.plan(spec.from_config(data, "x"))


def declared(**platform: Any) -> list[dict[str, Any]]:
    """The machines' inputs, for the example's hosts with another platform."""
    data = spec.load(ROOT / "examples/metal-hosts.yaml").model_dump(mode="json", exclude_unset=True)
    data["platform"] |= platform
    planned = plans.plan(spec.from_config(data, "x"))
    done = run(lambda: platforms.build(planned, Workspace(Path.cwd(), "test")), answers, no_calls)
    return [one.inputs for one in done.of(":Machine")]


def test_disk_and_seeds_port_and_scheme_reach_the_iso_installer(checkout: Path) -> None:
    iso = {
        "kind": "iso",
        "url": "https://10.80.255.253/x.iso",
        "sha256": "0" * 64,
        "seed_address": "10.80.255.253",
    }
    more = {"seed_port": 8443, "seed_scheme": "http"}
    made = declared(installer={**iso, **more}, pools={"blue": {"disk": {"model": "PM893"}}})
    assert [(one["install"]["seed_port"], one["install"]["seed_scheme"]) for one in made] == [
        (8443, "http")
    ] * 3
    assert [one["install"]["disk"] for one in made] == [{"model": "PM893"}] * 2 + [{}]


def test_ironic_is_told_all_that_the_spec_says(checkout: Path) -> None:
    file = {"url": "https://10.80.255.253/x", "sha256": "0" * 64}
    ironic = {"kind": "ironic", "embedded": {"address": "10.80.255.253"}, "image": file,
              "agent": {"kernel": file, "ramdisk": file, "esp": file}}  # fmt: skip
    setup = {"bios": "gpu", "network": {"vlan": 12, "mtu": 9000}, "disk": {"path": "pci-0000:01:00.0-nvme-1"}}
    made = declared(installer=ironic, bios_settings={"gpu": {"Sriov": "Enabled"}}, pools={"blue": setup})
    blue, _, green = (one["install"] for one in made)
    assert (blue["kind"], blue["vlan"], blue["mtu"], blue["bios"]) == (
        "ironic",
        12,
        9000,
        {"Sriov": "Enabled"},
    )
    assert (blue["disk"], blue["pool"]) == ({"path": "pci-0000:01:00.0-nvme-1"}, "blue")
    assert blue["owner"] == f"hosts/test/{Workspace(checkout, 'test').lab_id}"
    assert Workspace(checkout.parent, "test").lab_id not in blue["owner"], "another checkout is another owner"
    assert blue["where"] == {"address": "10.80.255.253", "port": 6385, "files_port": 6388}
    assert (green["vlan"], green["bios"], green["disk"]) == (0, {}, {})
    assert made[0]["bios"] == {"Sriov": "Enabled"}
    assert made[2]["bios"] == {}


# Taken before tests/conftest.py puts what stands for it in its place.
find = local_repository.find


@pytest.fixture
def said(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program says, over an empty cache."""
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lines.append)
    monkeypatch.setattr(local_repository, "find", find)
    monkeypatch.setenv("XDG_CACHE_HOME", str(checkout / "cache"))
    return lines


def test_a_preview_fetches_nothing_and_says_what_a_run_fetches(
    said: list[str], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(*_: object) -> None:
        raise AssertionError("a preview fetches")

    for part in (local_repository, local_wheels):
        monkeypatch.setattr(part, "ensure", fetched)
    planned = plans.plan(spec.load(ROOT / "examples/metal-cluster.yaml"))
    assert planned.wheels
    work = Workspace(Path.cwd(), "test")
    done = run(lambda: platforms.build(planned, work), answers, no_calls, preview=True)
    assert len(said) == 2 and "the training stack's wheels" in said[0] and "own repository" in said[1]
    assert "local" not in {one["name"] for one in done.contract["software"]["repositories"]}
    assert not (checkout / "cache").exists()

    # Of what the cache has, the preview shows the contract of a run.
    monkeypatch.setattr(local_repository, "find", lambda *_: OWN)
    locked = wheel_lists(Path.cwd(), load_release(planned.software.release))
    digest = local_wheels.digest_of(planned.wheels, locked)
    (checkout / "cache/railbed/wheels" / digest).mkdir(parents=True)
    said.clear()
    done = run(lambda: platforms.build(planned, work), answers, no_calls, preview=True)
    (own,) = [one for one in done.contract["software"]["repositories"] if one["name"] == "local"]
    assert (own["wheels"], own["uri"].rpartition("/")[0].rpartition("/")[2], said) == (digest, OWN.digest, [])


def test_a_plain_run_fetches_once_and_says_so(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(what: str, found: Any) -> Callable[..., Any]:
        def ensure(*given: Any) -> Any:
            given[-1](f"fetches {what}")
            return found

        return ensure

    monkeypatch.setattr(local_wheels, "ensure", fetched("wheels", "1" * 12))
    monkeypatch.setattr(local_repository, "ensure", fetched("packages", OWN))
    _, done = made("metal-cluster")
    assert said == ["fetches wheels", "fetches packages"]
    (own,) = [one for one in done.contract["software"]["repositories"] if one["name"] == "local"]
    assert own["wheels"] == "1" * 12
