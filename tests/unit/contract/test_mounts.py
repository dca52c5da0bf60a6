"""What a filesystem's source says that it is."""

from __future__ import annotations

import pytest

from railbed.contract import Filesystem
from railbed.contract.mounts import client, network, servers


def filesystem(source: str, kind: str = "external") -> Filesystem:
    return Filesystem(
        name="data", kind=kind, mount="/data", metadata_server="", data_servers=[], data_path="", copies=1,  # type: ignore[arg-type]
        capacity_tib=1.0, source=source, options="noatime",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "kind", "mounted"),
    [
        ("beegfs://mgmt.test", "beegfs", "mgmt.test"),
        ("weka://b1,b2/fs", "weka", "b1,b2/fs"),
        ("ceph://ada@fsid.data=/", "ceph", "ada@fsid.data=/"),
        ("nfs://h:/export", "nfs", "h:/export"),
        ("fs-0ab1.fsx.us-east-2.amazonaws.com@tcp:/abcd", "lustre", None),
        ("10.0.0.1@o2ib:10.0.0.2@o2ib:/work", "lustre", None),
        ("10.254.0.3:6789,10.254.0.4:6789:/volumes/_nogroup/1", "ceph", None),
        ("10.254.0.3:/shares/share-1", "nfs", None),
        ("cpfs-1.cn-beijing.nas.aliyuncs.com:/", "nfs", None),
        ("scratch", "virtiofs", None),
        ("gopher://data", "external", None),
        ("", "external", None),
    ],
)
def test_the_form_of_a_source_says_what_it_is(source: str, kind: str, mounted: str | None) -> None:
    mount = client(filesystem(source))
    assert (mount["kind"], mount["source"]) == (kind, source if mounted is None else mounted)


def test_a_known_kind_is_taken_at_its_word() -> None:
    assert client(filesystem("10.0.0.1:/x", "lustre"))["kind"] == "lustre"


@pytest.mark.parametrize(
    ("source", "net", "addresses"),
    [
        ("10.0.0.1@o2ib:10.0.0.2@o2ib:/work", "o2ib", ["10.0.0.1", "10.0.0.2"]),
        ("192.168.1.61@o2ib1,192.168.2.61@o2ib1:/ai200", "o2ib1", ["192.168.1.61", "192.168.2.61"]),
        ("fs-0ab1.fsx.us-east-2.amazonaws.com@tcp:/abcd", "", []),
        ("h:/export", "", []),
    ],
)
def test_the_network_of_a_source_is_lnets_where_it_is_not_tcp(
    source: str, net: str, addresses: list[str]
) -> None:
    one = filesystem(source)
    assert (network(one), servers(one)) == (net, addresses)
    assert network(one.model_copy(update={"network": "efa"})) == "efa"
