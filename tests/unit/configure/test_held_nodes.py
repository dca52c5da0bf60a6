"""Whom the play that holds nodes is for: those that never passed, and spares that are kept for a swap, whoever else there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

SITE = Path(__file__).parents[3] / "playbooks/site.yml"
WORKERS = ["h100-0", "h100-1", "h100-4"]


def held(**groups: list[str]) -> list[str]:
    """Hosts of the play, with these groups."""
    (play,) = (
        one for one in yaml.safe_load(SITE.read_text()) if one.get("name", "").startswith("Hold the nodes")
    )
    whole = {"slurm_nodes": WORKERS, "slurm_controllers": ["ctl0"], **groups}
    inventory = InventoryManager(DataLoader(), parse=False)
    for group, hosts in whole.items():
        inventory.add_group(group)
        for host in hosts:
            inventory.add_host(host, group)
    inventory.reconcile_inventory()
    found = inventory.get_hosts(play["hosts"])
    return sorted(host.name for host in found)


@pytest.mark.parametrize(
    ("unaccepted", "standby", "wanted"),
    [
        ([], [], []),
        (["ctl0", "h100-1"], [], ["h100-1"]),
        # After `spare_jobs` was changed on a cluster of which every node had passed.
        ([], ["h100-4"], ["h100-4"]),
        (["h100-0"], ["h100-4"], ["h100-0", "h100-4"]),
    ],
)
def test_the_play_is_for_them_and_nobody_else(
    unaccepted: list[str], standby: list[str], wanted: list[str]
) -> None:
    assert held(unaccepted=unaccepted, standby=standby) == wanted
