"""RoCE's classes as dcb prints them: pairs as recorded on the netdev list (iproute2 in 2023: ``[ 8,0," " ]``); the list of pauses
is built from iproute2's dcb/dcb_pfc.c."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed.defaults import ROCE

ROOT = Path(__file__).resolve().parents[2]
SORTS = '{"dscp_prio":[[26,3," "],[48,6," "]]}'
PAUSES = json.dumps({"prio_pfc": [at == 3 for at in range(8)]})
ALL = json.dumps({"prio_pfc": [True] * 8})


@pytest.mark.refutes("node.lossless")
@pytest.mark.parametrize(
    ("sorts", "pauses", "verdict", "reason"),
    [
        (SORTS, PAUSES, "pass", ""),
        ('{"dscp_prio":[[26,3]]}', PAUSES, "fail", "rail1 gives DSCP 48 priority none, not 6"),
        (SORTS, ALL, "fail", "rail1 pauses priority 0, 1, 2, 3, 4, 5, 6, 7, not 3 alone"),
        (SORTS, '{"prio_pfc":[]}', "fail", "pauses priority none"),
        ("Segmentation fault", PAUSES, "unproven", "rail0, rail1"),
        ("[]", "{}", "unproven", "rail0, rail1"),
    ],
)
def test_lossless(
    world: Any, monkeypatch: pytest.MonkeyPatch, sorts: str, pauses: str, verdict: str, reason: str
) -> None:
    world.want |= {"roce": dict(ROCE), "rails": [{"index": at, "netdev": f"rail{at}"} for at in range(2)]}
    for at in range(2):
        world.command("dcb", sorts, arguments=f"-j app show dev rail{at} dscp-prio")
        world.command("dcb", pauses, arguments=f"-j pfc show dev rail{at} prio-pfc")
    found = world.check("node.lossless", monkeypatch)
    assert found.verdict == verdict and reason in found.reason
    assert (found.parts == ("rail 0", "rail 1")) == (verdict == "fail")


ECN = "/sys/class/net/rail{}/ecn"
DEBUG = "/sys/kernel/debug/mlx5/0000:{}a:00.0/cc_params/np_cnp_dscp"


@pytest.mark.refutes("node.lossless")
@pytest.mark.parametrize(
    ("files", "verdict", "reason"),
    [
        (
            {f"{ECN}/roce_np/enable/3": "1", f"{ECN}/roce_rp/enable/3": "1", f"{ECN}/roce_np/cnp_dscp": "48"},
            "pass",
            "",
        ),
        (
            {f"{ECN}/roce_np/enable/3": "0", f"{ECN}/roce_rp/enable/3": "1"},
            "fail",
            "rail1 sends no notices of congestion",
        ),
        (
            {f"{ECN}/roce_np/enable/3": "1", f"{ECN}/roce_rp/enable/3": "0"},
            "fail",
            "rail1 does not slow down on notices",
        ),
        ({f"{ECN}/roce_np/cnp_dscp": "46"}, "fail", "rail1 sends notices of congestion with DSCP 46, not 48"),
        ({DEBUG: "46"}, "fail", "rail1 sends notices of congestion with DSCP 46, not 48"),
        ({DEBUG: "48"}, "pass", "on 2 the driver shows no switch of congestion control"),
        ({}, "pass", "on 2 the driver shows no switch of congestion control"),
    ],
)
def test_the_card_answers_marks_as_far_as_its_driver_shows(
    world: Any, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], verdict: str, reason: str
) -> None:
    """Files of NVIDIA's driver (DOCA 2.10, Explicit Congestion Notification), and of the kernel's own (mlx5, cong.c)."""
    rails = [{"index": at, "netdev": f"rail{at}", "device": f"roce_{at}"} for at in range(2)]
    world.want |= {"roce": dict(ROCE), "rails": rails}
    for at in range(2):
        world.command("dcb", SORTS, arguments=f"-j app show dev rail{at} dscp-prio")
        world.command("dcb", PAUSES, arguments=f"-j pfc show dev rail{at} prio-pfc")
        slot = world.root / f"sys/devices/pci0000:00/0000:{at}a:00.0"
        slot.mkdir(parents=True)
        card = world.root / f"sys/class/infiniband/roce_{at}"
        card.mkdir(parents=True)
        (card / "device").symlink_to(slot)
        for path, text in files.items():
            file = world.root / path.format(at).lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n")
    found = world.check("node.lossless", monkeypatch)
    assert found.verdict == verdict and reason in found.reason
    assert ("switch of congestion control" in found.reason) is (
        verdict == "pass" and f"{ECN}/roce_np/enable/3" not in files
    )


def test_without_names_nothing_is_shown(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want |= {"roce": dict(ROCE), "rails": [{"index": 0, "netdev": ""}]}
    assert world.check("node.lossless", monkeypatch).verdict == "unproven"


def test_the_role_has_the_same_classes_by_itself() -> None:
    role = yaml.safe_load((ROOT / "roles/rails/defaults/main.yml").read_text())
    assert {name: role[f"rails_{name if 'cnp' in name else 'roce_' + name}"] for name in ROCE} == ROCE
