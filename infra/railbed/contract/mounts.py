"""Filesystems of a contract → what a client mounts. Pure.

A filesystem that railbed did not make says by its source what it is: ``beegfs://…``, ``weka://…``, ``ceph://…`` and
``nfs://…`` in full; as providers write them ``…@tcp:/fsname`` is Lustre (lustre.org manual, 13.2), ``host:/export`` NFS
(nfs(5)), monitors with ports before ``:/path`` Ceph (mount.ceph(8)), and a bare word the tag of a shared folder (virtiofs).
"""

from __future__ import annotations

import re
from typing import Any

from railbed.contract.parts import Filesystem

EXTERNAL = "external"
SCHEMES = ("beegfs", "weka", "ceph", "nfs", "lustre", "virtiofs")
FORMS = (
    (re.compile(r"[^/]+@(tcp|o2ib)\d*:.*/.+"), "lustre"),
    (re.compile(r"[^/]+:\d+(,[^/]+)?:/.*"), "ceph"),
    (re.compile(r"[^:/,]+:/.*"), "nfs"),
    (re.compile(r"[A-Za-z0-9_-]+"), "virtiofs"),
)
"""Form of a source → what it is; the first that fits whole."""
O2IB = re.compile(r"(?<=@)o2ib\d*")
SERVER = re.compile(r"(\d+\.\d+\.\d+\.\d+)@o2ib\d*")


def client(filesystem: Filesystem) -> dict[str, Any]:
    """What a node must know to mount it. An external one that no form fits keeps its kind, which roles refuse."""
    external = filesystem.kind == EXTERNAL
    kind, source = _read(filesystem.source) if external else (filesystem.kind, filesystem.source)
    return {
        "name": filesystem.name,
        "kind": kind,
        "mount": filesystem.mount,
        "host": filesystem.metadata_server,
        "copies": filesystem.copies,
        "source": source,
        "options": filesystem.options,
    }


def network(filesystem: Filesystem) -> str:
    """LNet network that a Lustre filesystem is reached over, where that is not TCP: ``o2ib``, ``o2ib1``, ``efa``; else empty."""
    match = O2IB.search(filesystem.source)
    return filesystem.network or (match[0] if match else "")


def servers(filesystem: Filesystem) -> list[str]:
    """IPv4 addresses of the management servers on an ``o2ib`` network, as its source names them."""
    return [str(one) for one in SERVER.findall(filesystem.source)]


def _read(source: str) -> tuple[str, str]:
    scheme, found, rest = source.partition("://")
    if found:
        return (scheme, rest) if scheme in SCHEMES else (EXTERNAL, source)
    return next((kind for form, kind in FORMS if form.fullmatch(source)), EXTERNAL), source
