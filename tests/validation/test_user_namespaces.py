"""User namespaces under AppArmor. The kernel's list of profiles is built, after aa-status(8) and enroot's own profile."""

from __future__ import annotations

from typing import Any

import pytest

OTHERS = "lsb_release (enforce)\n/usr/sbin/chronyd (enforce)\n"
SYSCTL = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
PROFILES = "/sys/kernel/security/apparmor/profiles"


@pytest.mark.refutes("node.containers")
@pytest.mark.parametrize(
    ("restricted", "profiles", "verdict"),
    [
        ("1\n", OTHERS + "enroot (unconfined)\n", "pass"),
        ("1\n", "/usr/bin/enroot-nsenter (unconfined)\n" + OTHERS, "pass"),
        ("1\n", OTHERS, "fail"),
        ("1\n", "", "fail"),
        ("1\n", None, "unproven"),
        ("0\n", None, "pass"),
        (None, None, "pass"),
    ],
)
def test_users_may_make_the_namespaces_of_a_container(
    world: Any, monkeypatch: pytest.MonkeyPatch, restricted: str | None, profiles: str | None, verdict: str
) -> None:
    for path, text in ((SYSCTL, restricted), (PROFILES, profiles)):
        if text is not None:
            world.write(path, text)
    found = world.check("node.containers", monkeypatch)
    assert found.verdict == verdict, found.reason
    assert (found.parts == ("container runtime",)) == (verdict == "fail")
