"""Where the controllers take their time from, and the warning where from nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import SpecError

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def planned(example: str, tmp_path: Path, **changes: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((EXAMPLES / example).read_text())
    data["config"]["railbed:cluster"] |= changes
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(data))
    return plan.plan(spec.load(file), "there")


def codes(made: plan.ClusterPlan) -> list[str]:
    return [warned.code for warned in made.warnings]


def test_a_sites_servers_are_followed_and_without_one_the_plan_warns(tmp_path: Path) -> None:
    assert "NO_TIME_SOURCE" in codes(planned("metal-cluster.yaml", tmp_path, site={}))
    given = planned("metal-cluster.yaml", tmp_path, site={"ntp": ["ntp1.example.net", "10.1.2.3"]})
    assert given.ntp == ["ntp1.example.net", "10.1.2.3"] and "NO_TIME_SOURCE" not in codes(given)


def test_a_providers_server_is_followed_unless_the_site_has_its_own(tmp_path: Path) -> None:
    provider = planned("aws-flagship.yaml", tmp_path)
    assert provider.ntp == ["169.254.169.123"] and "NO_TIME_SOURCE" not in codes(provider)
    assert planned("aws-flagship.yaml", tmp_path, site={"ntp": ["10.1.2.3"]}).ntp == ["10.1.2.3"]


def test_hosts_by_themselves_and_the_lab_keep_their_own(tmp_path: Path) -> None:
    assert "NO_TIME_SOURCE" not in codes(planned("lab-cluster.yaml", tmp_path))


@pytest.mark.parametrize("server", ["-x", "a b", "", "time\n", "ntp;reboot"])
def test_what_is_no_server_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(SpecError) as refused:
        planned("metal-cluster.yaml", tmp_path, site={"ntp": [server]})
    assert "site.ntp" in str(refused.value.path)
