"""What a node must bring before anything is installed on it. Trees are those of the built kinds of nodes."""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.node_trees import Driver, Tree, kind, wanted

from railbed.hardware import Ground, Observation
from railbed.hardware.ground import refused
from railbed.validate.node import observe
from railbed.validate.node.probe import Answer

CERTIFICATE = b"0\x82 a certificate in DER, made up"
SHA = hashlib.sha256(CERTIFICATE).hexdigest()
BARE = Ground(own_cards=True)


def signature_list(kind: bytes, *entries: bytes) -> bytes:
    """EFI_SIGNATURE_LIST (UEFI 2.10, 32.4.1) of entries of one size."""
    rows = b"".join(uuid.UUID(int=1).bytes_le + entry for entry in entries)
    each = observe.OWNER + len(entries[0])
    return struct.pack("<16sIII", kind, observe.LIST.size + len(rows), 0, each) + rows


def variable(*lists: bytes) -> bytes:
    return b"\x06\0\0\0" + b"".join(lists)


@pytest.fixture
def seen(tmp_path: Path) -> Observation:
    return Tree(tmp_path, kind("hgx-h100-ib")).observation()


def test_certificates_of_the_variable_are_told_and_hashes_are_not() -> None:
    hashes = signature_list(bytes(16), b"x" * 32)
    text = variable(
        hashes, signature_list(observe.X509, CERTIFICATE), signature_list(observe.X509, b"y" * 9, b"z" * 9)
    )
    others = [hashlib.sha256(one).hexdigest() for one in (b"y" * 9, b"z" * 9)]
    assert observe.enrolled(text) == [SHA, *others]
    assert uuid.UUID(bytes_le=observe.X509) == uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")


@given(st.binary(max_size=200))
def test_garbage_in_the_variable_ends(text: bytes) -> None:
    assert len(observe.enrolled(text)) <= len(text)


def test_a_node_as_it_should_be_is_not_refused(seen: Observation) -> None:
    assert refused(seen, BARE, wanted(kind("hgx-h100-ib"))) == []


@pytest.mark.parametrize(
    ("ground", "more", "reason"),
    [
        (Ground(), {}, "Three ways"),
        (Ground(secure_boot="mok", certificate_sha256=SHA), {}, "is not enrolled (enrolled: none)"),
        (Ground(secure_boot="mok", certificate_sha256=SHA), {"enrolled": [SHA]}, ""),
        (Ground(secure_boot="signed"), {"signers": {"nvidia": ""}}, "has no signer"),
        (Ground(secure_boot="signed"), {}, "is not installed"),
        (Ground(secure_boot="signed"), {"signers": {"nvidia": "Canonical Ltd. Kernel Module Signing"}}, ""),
    ],
)
def test_secure_boot_asks_one_of_three_ways(
    seen: Observation, ground: Ground, more: dict[str, Any], reason: str
) -> None:
    on = seen.model_copy(update={"secure_boot": True, **more})
    found = refused(on, ground, None)
    assert (found == []) is (reason == "") and reason in "".join(found)
    for quiet in (False, None):
        assert refused(on.model_copy(update={"secure_boot": quiet}), ground, None) == []


@pytest.mark.parametrize(("headers", "count"), [(True, 0), (None, 0), (False, 1)])
def test_headers_are_missed_only_where_sources_were_read(
    seen: Observation, headers: bool | None, count: int
) -> None:
    without = seen.model_copy(update={"headers": headers})
    assert len(refused(without, BARE, None)) == count
    assert refused(without, Ground(mirrored=True), None) == [], "the node does not know the site's mirror yet"


@pytest.mark.parametrize(
    ("code", "said", "headers"),
    [
        (0, "", True),
        (100, "E: No packages found\n", False),
        (100, "E: The list of sources could not be read.\n", None),
        (100, "W: lists are stale\nE: No packages found\n", None),
        (124, "", None),
    ],
)
def test_only_apts_own_word_says_that_there_are_no_headers(
    tmp_path: Path, code: int, said: str, headers: bool | None
) -> None:
    """The first two as apt 2.6.2 (Debian 12) answers; the others are made up."""

    class Apt(Driver):
        def run(self, argv: Any, timeout_s: float = 0.0) -> Answer:
            asked = list(argv)[2:4] == ["apt-cache", "show"]
            return Answer(code, "", said) if asked else super().run(argv, timeout_s)

    tree = Tree(tmp_path, kind("hgx-h100-ib"))
    tree.write(f"{observe.LISTS}/archive_Packages", "")
    assert observe.observe(Apt(str(tree.root), tree.table))["headers"] is headers


def ethernet(seen: Observation, *devices: str) -> Observation:
    nics = [
        nic.model_copy(update={"link_layer": "ethernet"}) if nic.device in devices else nic
        for nic in seen.nics
    ]
    return seen.model_copy(update={"nics": nics})


H100 = wanted(kind("hgx-h100-ib"))


def test_cards_of_the_other_protocol_are_named(seen: Observation) -> None:
    rails = kind("hgx-h100-ib")["rails"]
    found = refused(ethernet(seen, *rails), BARE, H100)
    assert len(found) == 1 and "mlx5_0" in found[0] and "LINK_TYPE_P1=IB" in found[0]
    cloud = refused(ethernet(seen, *rails), Ground(), H100)
    assert len(cloud) == 1 and "LINK_TYPE" not in cloud[0], "a cloud's are the cloud's to set"
    one = refused(ethernet(seen, *rails[:-1]), BARE, H100)
    assert len(one) == 1 and "LINK_TYPE" not in one[0], "one was set: the others are no rails"


def test_a_card_that_died_is_no_wrong_protocol(seen: Observation) -> None:
    """A storage card beside a GPU speaks Ethernet, as fast as a rail."""
    gone = seen.model_copy(update={"nics": [nic for nic in seen.nics if nic.device != "mlx5_0"]})
    reason = refused(gone, BARE, H100)
    assert len(reason) == 1 and reason[0].startswith("cards or GPUs are missing: gpu 0")
    storage = next(nic for nic in seen.nics if nic.device == "mlx5_0").model_copy(
        update={"device": "mlx5_20", "link_layer": "ethernet"}
    )
    more = gone.model_copy(update={"nics": [*gone.nics, storage]})
    assert ["LINK_TYPE" in one for one in refused(more, BARE, H100)] == [False]
    down = [nic.model_copy(update={"link_layer": ""}) for nic in gone.nics]
    assert refused(gone.model_copy(update={"nics": [*down, storage]}), BARE, H100) == []


@pytest.mark.parametrize(
    ("least", "count"),
    [({}, 0), ({"28": "28.39.1002"}, 0), ({"28": "28.43.1014"}, 1), ({"32": "32.43.1014"}, 0)],
)
def test_firmware_is_judged_only_where_a_range_is_known(
    seen: Observation, least: dict[str, str], count: int
) -> None:
    found = refused(seen, Ground(own_cards=True, nic_firmware=least), H100)
    assert len(found) == count and ("mlx5_0 has 28.39.1002" in "".join(found)) == bool(count)
    odd = [nic.model_copy(update={"firmware": "custom"}) for nic in seen.nics]
    assert (
        refused(
            seen.model_copy(update={"nics": odd}),
            Ground(own_cards=True, nic_firmware=least),
            H100,
        )
        == []
    )


@pytest.mark.parametrize(("device", "count"), [("mlx5_0", 1), ("mlx5_1", 0), ("mlx5_2", 0)])
def test_firmware_of_cards_that_are_no_rails_is_not_judged(
    seen: Observation, device: str, count: int
) -> None:
    """mlx5_1 and mlx5_2 are the ports of a storage card."""
    nics = [
        nic.model_copy(update={"firmware": "28.30.1000"}) if nic.device == device else nic
        for nic in seen.nics
    ]
    ground = Ground(own_cards=True, nic_firmware={"28": "28.39.1002"})
    found = refused(seen.model_copy(update={"nics": nics}), ground, H100)
    assert len(found) == count and ("mlx5_0 has 28.30.1000" in "".join(found)) == bool(count)
    assert refused(seen.model_copy(update={"nics": nics}), ground, None) == []


def lacking(
    folder: Path, name: str, change: Callable[[dict[str, Any]], None], ground: Ground = BARE
) -> list[str]:
    one = kind(name)
    change(one)
    return refused(Tree(folder, one).observation(), ground, wanted(one))


def seven_cards(one: dict[str, Any]) -> None:
    one["switches"][3]["nics"] = []


def seven_gpus(one: dict[str, Any]) -> None:
    one["switches"][7]["gpus"] = []


def two_at_one_distance(one: dict[str, Any]) -> None:
    one["switches"][2]["nics"].append({"bus": "3e", "rdma": "mlx5_77"})


def no_links(one: dict[str, Any]) -> None:
    seven_cards(one)
    for switch in one["switches"]:
        for nic in switch["nics"]:
            nic["up"] = False


def as_it_is(one: dict[str, Any]) -> None:
    assert one["switches"]


@pytest.mark.parametrize(
    ("change", "bare", "cloud"),
    [
        (seven_cards, "7 of 8 roce cards of 400 Gb/s are there", True),
        (seven_gpus, "7 of 8 GPUs are on the PCI bus", True),
        (two_at_one_distance, "2 cards are equally near (PIX) to gpu 2", False),
        (no_links, "", False),
        (as_it_is, "", False),
    ],
)
def test_rails_that_cannot_be_mapped_are_refused_before_anything_is_installed(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], bare: str, cloud: bool
) -> None:
    """Without one rail's card at its rate it may be the driver that is missing; a guest's bridges may be its host's."""
    found = lacking(tmp_path / "bare", "hgx-h100-roce", change)
    assert (found == []) is (bare == "") and bare in "".join(found)
    assert bool(lacking(tmp_path / "cloud", "hgx-h100-roce", change, Ground())) is cloud
    named = Ground(own_cards=True, rails_named=True)
    assert bool(lacking(tmp_path / "named", "hgx-h100-roce", change, named)) is cloud
    routed = Ground(own_cards=True, rails_named=True, rails_routed=True)
    assert bool(lacking(tmp_path / "routed", "hgx-h100-roce", change, routed)) is (bare != "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (seven_cards, "cards or GPUs are missing: gpu 3: the nearest card is NODE away"),
        (seven_gpus, "7 of 8 GPUs are on the PCI bus"),
        (two_at_one_distance, "2 cards are equally near (PIX) to gpu 2"),
        (as_it_is, ""),
    ],
)
def test_infiniband_nodes_are_refused_as_early_though_storage_cards_are_there(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    found = lacking(tmp_path, "hgx-h100-ib", change)
    assert (found == []) is (reason == "") and reason in "".join(found)


def test_a_guest_whose_topology_file_is_still_to_come_is_not_refused(tmp_path: Path) -> None:
    def bare_image(one: dict[str, Any]) -> None:
        del one["topology"]

    assert lacking(tmp_path, "azure-ndv5", bare_image, Ground()) == []


def test_without_the_cards_driver_nothing_is_refused(tmp_path: Path, seen: Observation) -> None:
    storage = [nic for nic in seen.nics if nic.link_layer != "infiniband"]
    assert refused(seen.model_copy(update={"nics": storage}), BARE, H100) == []
    assert refused(seen.model_copy(update={"nics": []}), BARE, H100) == []
