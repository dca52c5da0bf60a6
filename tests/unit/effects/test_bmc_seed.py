"""Seeds: whatever a value holds, it stays a value; and the disc is one that cloud-init finds."""

from __future__ import annotations

import io
from typing import Any

import pycdlib
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.effects.bmc.seed import BOOT_DISK, Seed, disc, text

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA+/=\nBBBB\n-----END OPENSSH PRIVATE KEY-----\n"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHost"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40)


def seed(**changes: Any) -> Seed:
    values: dict[str, Any] = {
        "name": "h100-0", "instance": "h100-0-SN0-1", "mac": "02:00:00:00:00:01", "address": "10.80.0.11/16",
        "authorized_keys": ["ssh-ed25519 AAAAoperator"], "host_key": PUBLIC, "host_key_private": PRIVATE,
    }  # fmt: skip
    return Seed(**{**values, **changes})


def autoinstall(one: Seed) -> dict[str, Any]:
    data = yaml.safe_load(text("user-data", one))
    assert list(data) == ["autoinstall"]
    found: dict[str, Any] = data["autoinstall"]
    return found


def test_the_installer_is_told_all_that_makes_this_machine() -> None:
    one = autoinstall(seed(gateway="10.80.0.1", nameservers=("10.80.0.2",)))
    assert text("user-data", seed()).startswith("#cloud-config\n")
    assert one["version"] == 1
    assert one["shutdown"] == "poweroff"
    assert one["ssh"] == {"install-server": True, "allow-pw": False}
    assert one["storage"]["layout"] == {"name": "direct", "match": dict(BOOT_DISK)}
    card = one["network"]["ethernets"]["management"]
    assert card["match"] == {"macaddress": "02:00:00:00:00:01"}
    assert (card["addresses"], card["dhcp4"]) == (["10.80.0.11/16"], False)
    assert card["routes"] == [{"to": "default", "via": "10.80.0.1"}]
    assert card["nameservers"] == {"addresses": ["10.80.0.2"]}
    user_data = one["user-data"]
    assert user_data["ssh_keys"] == {"ed25519_private": PRIVATE, "ed25519_public": PUBLIC}
    assert (user_data["ssh_deletekeys"], user_data["ssh_pwauth"]) == (True, False)
    (root,) = user_data["users"]
    assert root == {
        "name": "root",
        "lock_passwd": True,
        "ssh_authorized_keys": ["ssh-ed25519 AAAAoperator"],
    }, "people come by role users, which also takes them away"


def test_what_is_not_given_is_not_in_it() -> None:
    card = autoinstall(seed())["network"]["ethernets"]["management"]
    assert "routes" not in card
    assert "nameservers" not in card


def test_a_new_installation_is_a_new_instance() -> None:
    assert yaml.safe_load(text("meta-data", seed())) == {
        "instance-id": "h100-0-SN0-1",
        "local-hostname": "h100-0",
    }


@settings(deadline=None)
@given(WORDS, WORDS, WORDS)
def test_no_value_can_become_a_key(name: str, key: str, gateway: str) -> None:
    one = autoinstall(seed(name=name, authorized_keys=[key], gateway=gateway, disk={"serial": key}))
    assert set(one) == {
        "version", "locale", "keyboard", "timezone", "ssh", "storage", "network", "shutdown", "user-data"
    }  # fmt: skip
    assert one["user-data"]["hostname"] == name
    assert [user["ssh_authorized_keys"] for user in one["user-data"]["users"]] == [[key]]
    assert one["network"]["ethernets"]["management"]["routes"][0]["via"] == gateway
    assert one["storage"]["layout"]["match"] == {"serial": key}


def test_the_disc_has_the_label_and_the_files_that_cloud_init_looks_for() -> None:
    image, out = pycdlib.PyCdlib(), io.BytesIO()
    image.open_fp(io.BytesIO(disc(seed())))
    assert image.pvd.volume_identifier.decode().strip() == "cidata"
    for path in ({"rr_path": "/user-data"}, {"joliet_path": "/user-data"}):
        out = io.BytesIO()
        image.get_file_from_iso_fp(out, **path)
        assert out.getvalue().decode() == text("user-data", seed())
    image.close()


def test_the_private_key_does_not_show_in_a_representation() -> None:
    assert "PRIVATE" not in repr(seed())
