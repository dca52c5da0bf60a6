"""Role hardening: what it writes, and that it leaves alone what training needs."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.conftest import Recorded
from tests.roles.refusals import Case, ask

ROOT = Path(__file__).resolve().parents[2]
RULES: dict[str, Any] = yaml.safe_load((ROOT / "roles/hardening/vars/main.yml").read_text())
LOGINS = "/etc/ssh/sshd_config.d/20-railbed-hardening.conf"
CLOSE, KERNEL = "hardening: Close logins, modules and services", "hardening: Set kernel parameters"


def test_every_node_gets_every_rule(lab: Recorded) -> None:
    for asked in lab.asked.values():
        units = {unit["name"]: unit for unit in asked[CLOSE]["units"]}
        assert units["apt-daily-upgrade.timer"] == {
            "name": "apt-daily-upgrade.timer",
            "state": "stopped",
            "enabled": False,
        }
        assert units["ssh.service"]["on_change"] == "reload" and asked[CLOSE]["modes"]["/root"] == "0700"
    said = lab.text("h100-0", LOGINS)
    for rule in RULES["hardening_logins"]:
        assert all(f"{name} {value}\n" in said for name, value in rule["set"].items())
    assert "install tipc /bin/false\n" in lab.text("h100-0", "/etc/modprobe.d/railbed-hardening.conf")


def test_kernel_parameters_are_left_alone_where_a_node_may_not_set_them(lab: Recorded) -> None:
    asked = lab.asked["h100-0"][KERNEL]
    assert "values" not in asked and asked["where_writable"]["fs.protected_hardlinks"] == 1


def test_no_rule_takes_what_training_needs(lab: Recorded) -> None:
    """The list of what is left alone is kept by the rules themselves."""
    asked = lab.asked["h100-0"]
    kernel = {*asked[KERNEL]["where_writable"], *asked["tuning: Set kernel parameters"]["values"]}
    assert not [
        key
        for key in kernel
        if key.endswith((".rp_filter", ".disable_ipv6")) or key.startswith("kernel.yama") or "userns" in key
    ]
    closed = lab.text("h100-0", "/etc/modprobe.d/railbed-hardening.conf")
    assert not [
        name
        for name in ("squashfs", "overlay", "udf", "ib_", "mlx5", "nvidia", "usb")
        if f"install {name}" in closed
    ]
    assert "AllowTcpForwarding" not in lab.text("h100-0", LOGINS)


def test_rules_have_names_of_their_own_and_reasons() -> None:
    kinds = [RULES[f"hardening_{kind}"] for kind in ("logins", "kernel", "modules", "services", "modes")]
    names = [rule["rule"] for rules in kinds for rule in rules]
    assert len(set(names)) == len(names)
    assert all(len(rule["reason"]) > 20 and rule["set"] for rules in kinds for rule in rules)


def test_shipped_exceptions_are_whole() -> None:
    for one in yaml.safe_load((ROOT / "playbooks/vars/hardening_exceptions.yml").read_text())["exceptions"]:
        assert set(one) == {"rule", "reason", "expires"} and datetime.date.fromisoformat(str(one["expires"]))


def exception(name: str, expires: str, says: str = "") -> Case:
    """As it stands in the file of exceptions, read as `playbooks/group_vars/all.yml` does."""
    written = (
        f"exceptions: [{{rule: service-portmapper, reason: the archive speaks NFS 3, expires: {expires}}}]"
    )
    told = {"written": written, "hardening_exceptions": "{{ (written | from_yaml).exceptions }}"}
    return Case(name, "hardening", told, says)


ENDED = "The exception of service-portmapper (until 2026-01-01) does not hold"
EXCEPTIONS = [
    exception("ends later, quoted", '"9999-12-31"'),
    exception("ends later, a date", "9999-12-31"),
    exception("ended, quoted", '"2026-01-01"', ENDED),
    exception("ended, a date", "2026-01-01", ENDED),
    exception("ends at an hour", "9999-12-31 12:00:00", "(until 9999-12-31 12:00:00) does not hold"),
    exception("ends in a year", "9999", "(until 9999) does not hold"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All exceptions in one run."""
    return ask(EXCEPTIONS, tmp_path_factory.mktemp("exceptions"))


@pytest.mark.parametrize("case", EXCEPTIONS, ids=lambda case: case.name)
def test_the_end_of_an_exception_needs_no_quotes(case: Case, answers: dict[str, str]) -> None:
    assert case.says in answers[case.name] if case.says else answers[case.name] == ""
