"""Users and tenants: what is taken, what is refused by which code, and that a certificate does not mind them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contracts import sealed
from tests.unit.contract.conftest import full

from railbed import plan as plans
from railbed import spec as specs
from railbed.contract import Tenancy
from railbed.errors import SpecError
from railbed.platforms import tenancy
from railbed.spec.tenancy import FIRST_GID, FIRST_UID, GID_COUNT, UID_COUNT, id_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfG4l0mM2c7rWJ1qf0v9yYt0sJ8m3lq9J3l5mZb2k1Q"


@pytest.fixture
def people(data: dict[str, Any]) -> dict[str, Any]:
    """The good spec with two tenants of two users."""
    data["access"] = {"admins": {"ada": KEY}}
    data["users"] = {"alice": {"keys": [KEY]}, "bob": {"keys": [KEY]}}
    data["tenants"] = [
        {
            "name": "acme", "members": ["alice", "ada"], "share": 60, "priority": 10, "pools": ["h100"],
            "limits": {"gpus": 16, "gpus_per_user": 8, "gpu_hours": 100, "job_hours": 24},
            "project": {"filesystem": "scratch", "quota_gib": 2},
        },
        {"name": "uni", "members": ["bob", "alice"]},
    ]  # fmt: skip
    return data


def refused(data: dict[str, Any]) -> SpecError:
    with pytest.raises(SpecError) as caught:
        specs.from_config(data, "spec")
    return caught.value


def test_two_tenants_come_into_the_contract_in_the_units_of_the_scheduler(people: dict[str, Any]) -> None:
    made = tenancy.of(plans.plan(specs.from_config(people, "spec")))
    assert made is not None
    acme, uni = made.tenants
    assert (acme.gpus, acme.gpus_per_user, acme.gpu_minutes, acme.job_minutes) == (16, 8, 6000, 1440)
    assert acme.project is not None and acme.project.path == "/scratch/projects/acme"
    assert acme.project.quota_bytes == 2 * 1024**3 and acme.project.kind == "moosefs"
    assert (uni.gpus, uni.gpu_minutes, uni.project, uni.share) == (None, None, None, 1)
    assert FIRST_GID <= acme.gid < FIRST_GID + GID_COUNT
    assert made.users["alice"].uid == id_of("alice", FIRST_UID, UID_COUNT) and made.users["alice"].keys == [
        KEY
    ]


def test_who_is_in_two_tenants_is_told_which_one_is_the_default(people: dict[str, Any]) -> None:
    said = [
        one
        for one in plans.plan(specs.from_config(people, "spec")).warnings
        if one.code == "TENANT_SHARED_MEMBER"
    ]
    assert [(one.path, "acme's" in one.message) for one in said] == [
        ("railbed:cluster.tenants[1].members", True)
    ]


def test_a_cluster_without_people_has_no_tenancy(data: dict[str, Any]) -> None:
    assert tenancy.of(plans.plan(specs.from_config(data, "spec"))) is None


def test_a_certificate_does_not_end_because_somebody_joins(
    people: dict[str, Any], data: dict[str, Any]
) -> None:
    before = specs.spec_hash(specs.from_config(people, "spec"))
    made = tenancy.of(plans.plan(specs.from_config(people, "spec")))
    alone = {name: value for name, value in people.items() if name not in ("users", "tenants")}
    assert specs.spec_hash(specs.from_config(alone, "spec")) == before
    without = sealed(full())
    with_people = sealed(without.model_copy(update={"tenancy": made}))
    assert with_people.certified() == without.certified() == without.hash
    assert with_people.hash != without.hash, "whose keys nodes have is under the MAC all the same"
    other = sealed(with_people.model_copy(update={"domain": "other.test"}))
    assert other.certified() != without.certified()


def test_the_tenancy_comes_back_from_json(people: dict[str, Any]) -> None:
    made = tenancy.of(plans.plan(specs.from_config(people, "spec")))
    assert made is not None and Tenancy.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        (lambda d: d["tenants"][0]["members"].append("alise"), "TENANT_USER", "tenants[0].members[2]"),
        (lambda d: d["tenants"][0].update(members=[]), "TENANT_USER", "tenants[0].members"),
        (lambda d: d["tenants"][0]["members"].append("alice"), "SPEC_DUPLICATE", "tenants[0].members[2]"),
        (lambda d: d["tenants"][0]["limits"].update(gpus=33), "TENANT_LIMIT", "tenants[0].limits.gpus"),
        (lambda d: d["tenants"][0]["limits"].update(gpus_per_user=17), "TENANT_LIMIT", "tenants[0].limits.gpus_per_user"),
        (lambda d: d["tenants"][0].update(pools=["h200"]), "TENANT_POOL", "tenants[0].pools[0]"),
        (lambda d: d["tenants"][1].update(name="acme"), "SPEC_DUPLICATE", "tenants[1].name"),
        (lambda d: d["tenants"][1].update(name="sudo"), "TENANT_RESERVED", "tenants[1].name"),
        (lambda d: d["tenants"][1].update(name="root"), "TENANT_RESERVED", "tenants[1].name"),
        (lambda d: d["tenants"][1].update(name="bob"), "TENANT_RESERVED", "tenants[1].name"),
        (lambda d: d["tenants"][1].update(name="operators"), "TENANT_RESERVED", "tenants[1].name"),
        (lambda d: d["tenants"][1].update(directory_group="hpc"), "TENANT_GROUP", "tenants[1].directory_group"),
        (lambda d: d["tenants"][0]["project"].update(filesystem="home"), "TENANT_FILESYSTEM", "tenants[0].project.filesystem"),
        (lambda d: d["tenants"][0]["project"].update(quota_gib=11), "TENANT_QUOTA", "tenants[0].project.quota_gib"),
        (lambda d: d["tenants"][0]["project"].update(path="../etc"), "SPEC_INVALID", "tenants[0].project.path"),
        (lambda d: d["users"].update(munge={"keys": [KEY]}), "USER_RESERVED", "users.munge"),
        (lambda d: d["users"].update(docker={"keys": [KEY]}), "USER_RESERVED", "users.docker"),
        (lambda d: d["users"].update(ada={"keys": [KEY]}), "USER_ADMIN", "users.ada"),
        (lambda d: d["users"].update(eve={}), "USER_KEYS", "users.eve.keys"),
        (
            lambda d: d["users"].update(eve={"keys": [KEY], "uid": id_of("bob", FIRST_UID, UID_COUNT)}),
            "USER_ID", "users.eve.uid",
        ),
        (lambda d: d["users"].update(eve={"keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}), "SPEC_SECRET", "users.eve.keys[0]"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_with_its_place(
    people: dict[str, Any], change: Any, code: str, where: str
) -> None:
    change(people)
    error = refused(people)
    assert (error.code, error.path.removeprefix("spec.").removeprefix("railbed:cluster.")) == (code, where)
    assert error.hint


def test_nobody_shares_a_cluster_without_slurm(people: dict[str, Any]) -> None:
    people.update(service="hosts", scheduler="none")
    assert refused(people).code == "TENANT_SCHEDULER"


def test_a_certificate_may_stand_for_a_key(people: dict[str, Any]) -> None:
    people["access"]["user_ca"] = [KEY]
    people["users"]["eve"] = {}
    assert specs.from_config(people, "spec").users["eve"].keys == []
