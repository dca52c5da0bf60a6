"""Oracle Cloud: what its APIs answer, and when things go wrong: pages, busy and expired, preflight, bastions, identities."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oci
import pytest
from oci.core import models
from tests.program.clouds.answering import Answering
from tests.program.clouds.oci_cases import (
    TODAY,
    key,
    made_plan,
)
from tests.program.clouds.oci_fake import Fake, response
from tests.program.clouds.oci_view import COMPARTMENT

from railbed import catalog
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.oci import discover, login, preflight, session
from railbed.platforms.oci.nodes import Group


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a key of its own, that no tenancy knows."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    folder = tmp_path_factory.mktemp("oci")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "config").write_text(
        "[DEFAULT]\nuser=ocid1.user.oc1..nobody\nfingerprint=" + ":".join(["00"] * 16) + "\n"
        f"tenancy=ocid1.tenancy.oc1..nobody\nregion=us-ashburn-1\nkey_file={folder / 'key.pem'}\n"
    )
    return folder / "config"


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch, profile: Path) -> Callable[..., Answering]:
    """The SDK's real clients with their real repeats, on answers that were made by hand."""
    monkeypatch.setattr(oci.config, "DEFAULT_LOCATION", str(profile))
    monkeypatch.delenv("OCI_CLI_AUTH", raising=False)
    monkeypatch.delenv("OCI_CLI_PROFILE", raising=False)
    real = oci.config.from_file
    monkeypatch.setattr(oci.config, "from_file", lambda **kw: real(file_location=str(profile), **kw))
    monkeypatch.setattr("oci.retry.retry.time.sleep", lambda _: None)
    made = session.clients

    def answering(*answers: Any) -> Answering:
        adapter = Answering(*answers)

        def clients(region: str) -> session.Clients:
            found = made(region)
            for one in vars(found).values():
                one.base_client.session.mount("https://", adapter)
            return found

        monkeypatch.setattr(session, "clients", clients)
        return adapter

    return answering


BUSY = {"code": "TooManyRequests", "message": "Too many requests for the tenant"}
DOWN = {"code": "ServiceUnavailable", "message": "The service is currently unavailable."}
EXPIRED = {
    "code": "NotAuthenticated",
    "message": "The required information to complete authentication was not provided.",
}
HIDDEN = {
    "code": "NotAuthorizedOrNotFound",
    "message": "Authorization failed or requested resource not found.",
}


def test_a_busy_api_is_asked_again(http: Callable[..., Answering]) -> None:
    adapter = http((429, BUSY), (503, DOWN), (200, [{"id": "a", "state": "Running"}]))
    cloud = session.clients("us-ashburn-1")
    found = discover._running(cloud, COMPARTMENT, [Group("cluster_network", "cn")])
    assert [one.id for one in found] == ["a"]
    assert adapter.asked == 3


def test_every_page_of_a_list_is_read(http: Callable[..., Answering]) -> None:
    pages = [
        (200, [{"id": f"i{i}", "state": "Running"}], {"opc-next-page": "more"} if i < 2 else {})
        for i in range(3)
    ]
    http(*pages)
    found = discover._running(session.clients("us-ashburn-1"), COMPARTMENT, [Group("instance_pool", "p")])
    assert [one.id for one in found] == ["i0", "i1", "i2"]


def test_an_api_that_stays_busy_is_an_error_and_no_empty_pool(http: Callable[..., Answering]) -> None:
    adapter = http((503, DOWN))
    cloud = session.clients("us-ashburn-1")
    with pytest.raises(RailbedError) as busy:
        discover._running(cloud, COMPARTMENT, [Group("cluster_network", "cn")])
    assert busy.value.code == "PROVIDER_BUSY"
    assert adapter.asked == session.CLOUD_TRIES


def test_preflight_says_that_credentials_are_expired(http: Callable[..., Answering]) -> None:
    http((401, EXPIRED))
    (finding,) = preflight.check(made_plan("oci-cluster"), TODAY)
    assert not finding.ok
    assert "NotAuthenticated" in finding.found
    assert "log in" in finding.hint


def test_preflight_says_that_the_account_is_another_one(http: Callable[..., Answering]) -> None:
    http((404, HIDDEN))
    (finding,) = preflight.check(made_plan("oci-cluster"), TODAY)
    assert not finding.ok
    assert "OCI_CLI_PROFILE" in finding.hint


def test_preflight_without_any_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = oci.config.from_file
    monkeypatch.setattr(
        oci.config, "from_file", lambda **kw: real(file_location=str(tmp_path / "none"), **kw)
    )
    (finding,) = preflight.check(made_plan("oci-cluster"), TODAY)
    assert (finding.name, finding.ok) == ("credentials", False)
    monkeypatch.setenv("OCI_CLI_AUTH", "guess")
    (finding,) = preflight.check(made_plan("oci-cluster"), TODAY)
    assert "not known" in finding.found


GPU_IMAGE = catalog.load_image("oci-gpu").published["x86_64"].name


class Account(Fake):
    """An account in which all is well, unless a test says otherwise."""

    def __init__(self, **change: Any) -> None:
        super().__init__({})
        self.change = {"shape": "BM.GPU.H100.8", "state": "ACTIVE", "count": 68, "zone": "EXMP:US-ASHBURN-AD-1",
                       "limit": 544, "shapes": ["BM.GPU.H100.8"], "name": GPU_IMAGE, **change}  # fmt: skip

    def get_compartment(self, compartment: str) -> Any:
        return response(
            oci.identity.models.Compartment(id=compartment, name="training", lifecycle_state="ACTIVE")
        )

    def list_availability_domains(self, compartment: str) -> Any:
        return response([oci.identity.models.AvailabilityDomain(name="EXMP:US-ASHBURN-AD-1")])

    def get_image(self, image: str) -> Any:
        state = "DELETED" if image == self.change.get("gone") else "AVAILABLE"
        name = self.change["name"] if "baked" not in image else "baked"
        return response(models.Image(id=image, display_name=name, lifecycle_state=state))

    def list_image_shape_compatibility_entries(self, image: str, **_: Any) -> Any:
        return response([models.ImageShapeCompatibilitySummary(shape=one) for one in self.change["shapes"]])

    def list_shapes(self, compartment: str, **_: Any) -> Any:
        return response([models.Shape(shape="BM.GPU.H100.8", quota_names=["gpu-h100-count"])])

    def get_resource_availability(self, service: str, limit: str, compartment: str, **_: Any) -> Any:
        return response(oci.limits.models.ResourceAvailability(available=self.change["limit"], used=0))

    def get_compute_capacity_reservation(self, name: str) -> Any:
        part = models.InstanceReservationConfig(
            instance_shape=self.change["shape"], reserved_count=self.change["count"], used_count=0
        )
        return response(
            models.ComputeCapacityReservation(
                id=name,
                lifecycle_state=self.change["state"],
                availability_domain=self.change["zone"],
                instance_reservation_configs=[part],
            )
        )

    def create_compute_capacity_report(self, details: Any) -> Any:
        (asked,) = details.shape_availabilities
        told = models.CapacityReportShapeAvailability(
            instance_shape=asked.instance_shape, availability_status="OUT_OF_HOST_CAPACITY", available_count=0
        )
        return response(models.ComputeCapacityReport(shape_availabilities=[told]))


def preflighted(
    monkeypatch: pytest.MonkeyPatch, wanted: ClusterPlan, today: datetime.date = TODAY, **change: Any
) -> Any:
    names = ("identity", "compute", "management", "network", "limits", "lustre", "work", "bastion")
    account = Account(**change)
    monkeypatch.setattr(session, "clients", lambda region: session.Clients(**dict.fromkeys(names, account)))
    return [one for one in preflight.check(wanted, today) if not one.ok]


def test_preflight_of_an_account_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflighted(monkeypatch, made_plan("oci-cluster")) == []


def test_preflight_compares_the_image_s_name_with_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    (other,) = preflighted(monkeypatch, made_plan("oci-cluster"), name="my-own-copy")
    assert not other.needed and "no name that its provider gives" in other.found
    (old,) = preflighted(monkeypatch, made_plan("oci-cluster"), name=GPU_IMAGE.replace("GPU-580", "GPU-550"))
    assert old.needed and "nvidia_driver 550, the profile takes >=" in old.found


@pytest.mark.parametrize(
    ("change", "words"),
    [({"state": "DELETING"}, "it is DELETING"), ({"shape": "BM.GPU.A100-v2.8"}, "it holds BM.GPU.A100-v2.8"),
     ({"count": 61}, "it has 61 nodes"), ({"zone": "EXMP:US-ASHBURN-AD-2"}, "it is in EXMP:US-ASHBURN-AD-2"),
     ({"limit": 512}, "512 left"), ({"shapes": ["VM.Standard.E5.Flex"]}, "for BM.GPU.H100.8")],
)  # fmt: skip
def test_preflight_finds_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    found = preflighted(monkeypatch, made_plan("oci-cluster"), **change)
    assert any(words in finding.found for finding in found)


def test_preflight_looks_at_the_image_of_a_pool_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = made_plan("oci-cluster", lambda data: data["pools"][0].update(image="ocid1.image.oc1..baked"))
    assert preflighted(monkeypatch, wanted) == []
    (finding,) = preflighted(monkeypatch, wanted, gone="ocid1.image.oc1..baked")
    assert finding.found == "ocid1.image.oc1..baked: DELETED" and "image of the pool" in finding.hint


def test_preflight_finds_capacity_that_ends_before_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = preflighted(monkeypatch, made_plan("oci-cluster"), datetime.date(2027, 2, 1))
    assert "ends on 2027-03-15" in finding.found


def test_preflight_of_another_domain_and_scarce_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(data: dict[str, Any]) -> None:
        data["platform"]["zone"] = "EXMP:US-ASHBURN-AD-9"
        data["pools"][0]["capacity"] = {"kind": "on_demand"}

    domain, capacity = preflighted(monkeypatch, made_plan("oci-cluster", change))
    assert domain.name == "availability domain"
    assert (capacity.needed, "OUT_OF_HOST_CAPACITY" in capacity.found) == (False, True)


class Door(Fake):
    """A bastion; sessions become active at the second look."""

    def __init__(self, told: str) -> None:
        super().__init__({})
        self.told, self.made = told, 0

    def _session(self, state: str) -> Any:
        return response(
            oci.bastion.models.Session(
                id="ocid1.bastionsession.oc1..s",
                lifecycle_state=state,
                bastion_public_host_key_info=self.told,
                bastion_user_name="ocid1.bastionsession.oc1..s",
                ssh_metadata={
                    "command": "ssh -i <privateKey> -N -L <localPort>:10.64.0.10:22 -p 22 "
                    "ocid1.bastionsession.oc1..s@host.bastion.us-ashburn-1.oci.oraclecloud.com"
                },
            )
        )

    def list_sessions(self, bastion: str, **_: Any) -> Any:
        return response([oci.bastion.models.SessionSummary(id="there")] if self.made else [])

    def create_session(self, details: Any) -> Any:
        self.made += 1
        assert details.target_resource_details.session_type == "PORT_FORWARDING"
        return self._session("CREATING")

    def get_session(self, name: str) -> Any:
        return self._session("ACTIVE")


def test_logins_reuse_a_session_and_pin_the_bastions_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(login, "LOCK_POLL_S", 0.0)
    door: Any = Door(key(1))
    cloud = session.Clients(door, door, door, door, door, door, door, door)
    for _ in range(2):
        made = login.opened(cloud, "bastion", "10.64.0.10", key(2))
    assert door.made == 1
    words = login.command(made, "10.64.0.10", tmp_path / "key", tmp_path / "known")
    assert words[-1] == "ocid1.bastionsession.oc1..s@host.bastion.us-ashburn-1.oci.oraclecloud.com"
    assert "StrictHostKeyChecking=yes" in words
    assert (tmp_path / "known").read_text() == f"host.bastion.us-ashburn-1.oci.oraclecloud.com {key(1)}\n"


@pytest.mark.parametrize(("allowed", "hosts", "fits"), [(20, 20, True), (20, 21, False), (None, 64, True)])
def test_hosts_are_no_more_than_a_bastion_takes_sessions(allowed: int | None, hosts: int, fits: bool) -> None:
    door: Any = Door(key(1))
    door.get_bastion = lambda _: response(oci.bastion.models.Bastion(max_sessions_allowed=allowed))
    cloud = session.Clients(door, door, door, door, door, door, door, door)
    if fits:
        login.require_sessions(cloud, "bastion", hosts)
        return
    with pytest.raises(RailbedError, match="fewer sessions") as refused:
        login.require_sessions(cloud, "bastion", hosts)
    assert (refused.value.found, refused.value.allowed) == ("21 hosts", "20 sessions")


def test_a_bastion_that_tells_no_key_is_not_connected_to(tmp_path: Path) -> None:
    for told in ("", "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"):
        made = Door(told).get_session("s").data
        with pytest.raises(RailbedError) as refused:
            login.command(made, "10.64.0.10", tmp_path / "key", tmp_path / "known")
        assert refused.value.code == "HOST_KEY_UNKNOWN"
        assert not (tmp_path / "known").exists()
