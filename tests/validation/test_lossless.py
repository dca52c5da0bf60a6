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


def test_without_names_nothing_is_shown(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want |= {"roce": dict(ROCE), "rails": [{"index": 0, "netdev": ""}]}
    assert world.check("node.lossless", monkeypatch).verdict == "unproven"


def test_the_role_has_the_same_classes_by_itself() -> None:
    role = yaml.safe_load((ROOT / "roles/rails/defaults/main.yml").read_text())
    assert {name: role[f"rails_{name if 'cnp' in name else 'roce_' + name}"] for name in ROCE} == ROCE
