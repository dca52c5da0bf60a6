"""Nodes that lack the ground are in a group of their own, with the reasons; the site's key is looked at before any node."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from railbed.configure import signing
from railbed.configure.inventory import Paths, build
from railbed.contract import Contract
from railbed.errors import UsageError
from railbed.hardware import NodeFacts

PATHS = Paths(ssh_config=Path("/x/ssh/config"), secrets=Path("/x/secrets"))
NODE = "h100-0"
DER = b"0\x82 a certificate in DER, made up"


def test_a_node_that_lacks_the_ground_is_refused_by_name(contract: Contract) -> None:
    seen = NodeFacts(identity=contract.node(NODE).identity.value, refused=["secure boot is on"])
    made = build(contract, {}, PATHS, observed={NODE: seen})
    assert made.groups["refused_nodes"] == [NODE]
    assert made.hostvars[NODE]["railbed_refused"] == ["secure boot is on"]
    in_service = {NODE: seen.identity}
    assert build(contract, in_service, PATHS, observed={NODE: seen}).groups["refused_nodes"] == [], (
        "it passed"
    )
    another = seen.model_copy(update={"identity": "another machine"})
    assert build(contract, {}, PATHS, observed={NODE: another}).groups["refused_nodes"] == []


@pytest.fixture
def signed(contract: Contract) -> Contract:
    software = contract.software.model_copy(
        update={"secure_boot": "mok", "certificate_sha256": hashlib.sha256(DER).hexdigest()}
    )
    return contract.model_copy(update={"software": software})


def test_the_sites_pair_must_be_the_one_that_the_spec_names(
    contract: Contract, signed: Contract, tmp_path: Path
) -> None:
    signing.require_pair(contract, tmp_path)
    with pytest.raises(UsageError, match="is not there") as found:
        signing.require_pair(signed, tmp_path)
    assert found.value.code == "SIGNING_KEY"
    (tmp_path / signing.KEY).write_text("a key\n")
    (tmp_path / signing.CERTIFICATE).write_text("garbage")
    with pytest.raises(UsageError, match="not the one"):
        signing.require_pair(signed, tmp_path)
    (tmp_path / signing.CERTIFICATE).write_text(ssl.DER_cert_to_PEM_cert(DER))
    signing.require_pair(signed, tmp_path)
