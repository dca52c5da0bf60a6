"""Who a machine is, from what it printed: nothing is guessed, nothing raises, and only another id of the same kind fails."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.certificate import identity
from railbed.certificate.identity import Card, Gpu, Identity, Nic, Shown
from railbed.claims import Verdict
from railbed.text import plain

ID = "0f8c2a4e6b1d4c3f9a7e5d2b1c0f8e6a"
UUIDS = [f"GPU-8f6f6d4e-5b0c-5d0e-9a53-00000000000{i}" for i in range(3)]
TABLE = "".join(f"{i}, {uuid}, 032411800123{i}\n" for i, uuid in enumerate(UUIDS))
"""The form of nvidia-smi 570 with --query-gpu=index,uuid,serial --format=csv,noheader."""
HGX = Shown(
    machine_id=ID, gpus=TABLE,
    dmi={"product_serial": "S449821X4B0123", "chassis_serial": "C449801", "product_uuid": "4C4C4544-0051-3010-8052-B4C04F4E3132"},
    cards=[
        Card(name="mlx5_0", guid="0c42:a103:0065:1a2b"),
        Card(name="mlx5_1", guid="0000:0000:0000:0000"),
        Card(name="eno1", mac="3C:EC:EF:01:02:03", assigned="0"),
        Card(name="rail0", mac="02:91:00:0b:00:01", assigned="3"),
    ],
)  # fmt: skip


def test_a_machine_shows_all_of_itself() -> None:
    seen = identity.of(HGX, 3, simulated=False)
    assert (seen.serial, seen.machine_id, seen.instance_id) == ("S449821X4B0123", ID, None)
    assert seen.gpus[2] == Gpu(uuid=UUIDS[2], serial="0324118001232"), "a serial number keeps its zeros"
    assert seen.nics == [
        Nic(name="mlx5_0", guid="0c42:a103:0065:1a2b"),
        Nic(name="eno1", mac="3c:ec:ef:01:02:03"),
    ]
    assert seen.absent == {
        "instance_id": "cloud-init left none on the node",
        "nics": "mlx5_1, rail0: no id of the card's own, only what software set",
    }
    assert seen.simulated == []


def test_a_container_does_not_show_the_serial_number_of_its_host() -> None:
    seen = identity.of(HGX.model_copy(update={"container": "systemd-nspawn"}), 3, simulated=True)
    assert (seen.serial, seen.firmware) == (None, {})
    assert "systemd-nspawn" in seen.absent["serial"]
    assert seen.simulated == ["gpus"]


@pytest.mark.parametrize(
    ("dmi", "why"),
    [
        ({}, "no table"),
        ({"product_serial": None}, "cannot be read"),
        ({"product_serial": "To Be Filled By O.E.M."}, "placeholder"),
        ({"product_serial": ""}, "the firmware has none"),
    ],
)
def test_a_serial_number_that_is_not_shown_has_its_reason(dmi: dict[str, Any], why: str) -> None:
    seen = identity.of(Shown(dmi=dmi), 0, simulated=False)
    assert seen.serial is None
    assert why in seen.absent["serial"]


@pytest.mark.parametrize(
    "table", [None, "", "NVIDIA-SMI has failed because …", TABLE.splitlines()[0], "0, x, y\n" * 3]
)
def test_gpus_that_do_not_show_themselves_have_their_reason(table: str | None) -> None:
    seen = identity.of(Shown(gpus=table), 3, simulated=False)
    assert f"{len(seen.gpus)} of 3" in seen.absent["gpus"]


OWN = identity.of(HGX, 3, simulated=False)
CLOUD = Identity(
    instance_id="i-0af01c0123456789a", firmware={"product_uuid": "ec2e1916-9099-7caf-fd21-012345abcdef"}
)
SWAPPED = "16192eec-9990-af7c-fd21-012345abcdef"


@pytest.mark.parametrize(
    ("kind", "wanted", "seen", "verdict"),
    [
        ("serial", "S449821X4B0123", OWN, Verdict.PASS),
        ("serial", "s449821x4b0123", OWN, Verdict.PASS),
        ("serial", "C449801", OWN, Verdict.PASS),
        ("serial", "S449821X4B0999", OWN, Verdict.FAIL),
        ("serial", "S449821X4B0999", Identity(firmware={"board_serial": "B1"}), Verdict.UNPROVEN),
        ("machine_id", ID, OWN, Verdict.PASS),
        ("machine_id", ID[::-1], OWN, Verdict.FAIL),
        ("machine_id", ID, Identity(), Verdict.UNPROVEN),
        ("instance_id", "i-0af01c0123456789a", CLOUD, Verdict.PASS),
        ("instance_id", "i-0af01c0123456789b", CLOUD, Verdict.FAIL),
        ("instance_id", "ec2e1916-9099-7caf-fd21-012345abcdef", CLOUD, Verdict.PASS),
        ("instance_id", SWAPPED, CLOUD, Verdict.PASS),
        ("instance_id", "computeinstance-e00abc", CLOUD, Verdict.UNPROVEN),
        ("instance_id", "4711", Identity(instance_id="4712"), Verdict.FAIL),
        ("instance_id", "4711", Identity(instance_id="iid-datasource-none"), Verdict.UNPROVEN),
        ("instance_id", "i-1", Identity(firmware={"board_asset_tag": "i-1"}), Verdict.PASS),
        ("instance_id", "i-1", Identity(firmware={"board_asset_tag": "i-2"}), Verdict.UNPROVEN),
        ("instance_id", "i-1", Identity(), Verdict.UNPROVEN),
    ],
)
def test_the_contracts_machine_passes_another_fails_and_what_cannot_be_compared_is_unproven(
    kind: str, wanted: str, seen: Identity, verdict: Verdict
) -> None:
    found, reason, _ = identity.judge(kind, wanted, seen)
    assert found is verdict, reason
    if verdict is Verdict.FAIL:
        assert wanted in reason and "another machine" in reason


def test_two_nodes_are_not_one_machine() -> None:
    other = Identity(machine_id=ID[::-1], gpus=[Gpu(uuid="GPU-00000000-1", serial=None)])
    assert identity.shared({"a": OWN, "b": other}) == {}
    clone = other.model_copy(update={"machine_id": ID})
    assert identity.shared({"a": OWN, "b": other, "c": clone}).keys() == {"a", "b", "c"}
    assert identity.shared({"a": OWN, "c": clone})["a"] == f"{ID} is also that of c"


def test_parts_that_are_others_than_before_are_named() -> None:
    assert identity.changes(OWN, OWN) == []
    fewer = OWN.model_copy(update={"gpus": OWN.gpus[:2], "nics": []})
    assert identity.changes(OWN, fewer) == [], "what is missing is the business of other claims"
    other = OWN.model_copy(
        update={
            "gpus": [*OWN.gpus[:2], Gpu(uuid="GPU-00000000-1", serial=None)],
            "nics": [Nic(name="mlx5_0", guid="0c42:a103:0065:ffff"), *OWN.nics[1:]],
            "machine_id": ID[::-1],
        }
    )
    assert identity.changes(OWN, other) == [
        f"machine id {ID[::-1]}, before {ID}", "GPU GPU-00000000-1 was not there",
        "NIC mlx5_0 0c42:a103:0065:ffff was not there",
    ]  # fmt: skip


WORDS = st.text(max_size=300) | st.sampled_from(
    [ID, TABLE, "", "0", "None", "\x1b[2J", "0c42:a103:0065:1a2b"]
)
MAYBE = st.none() | WORDS
CARDS = st.builds(Card, name=WORDS, guid=MAYBE, mac=MAYBE, assigned=MAYBE)
KINDS = st.sampled_from(sorted(identity.KINDS))


@given(
    st.builds(
        Shown, container=MAYBE, machine_id=MAYBE, instance_id=MAYBE, gpus=MAYBE,
        dmi=st.dictionaries(st.sampled_from(identity.FIRMWARE) | WORDS, MAYBE, max_size=6),
        cards=st.lists(CARDS, max_size=4),
    ),
    st.integers(0, 8), KINDS, st.sampled_from([ID, "i-1", "S1", "0"]),
)  # fmt: skip
def test_whatever_a_node_prints_is_read_and_passes_only_where_it_is_the_contracts(
    seen: Shown, gpus: int, kind: str, wanted: str
) -> None:
    found = identity.of(seen, gpus, simulated=False)
    assert Identity.model_validate_json(found.model_dump_json()) == found
    verdict, reason, measured = identity.judge(kind, wanted, found)
    assert plain(reason) == reason
    if verdict is Verdict.PASS:
        assert measured is not None and measured.casefold() == wanted.casefold()
    assert identity.changes(found, found) == []
