"""What the roles write for the clusters of the examples, in one text each: `tests/roles/goldens/`.

`python -m tests.roles.goldens` writes them anew; its README says what each was reviewed against.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.roles.conftest import Recorded, record
from tests.support import example_clusters

FOLDER = Path(__file__).parent / "goldens"
ROLES = "slurm,nccl,rails,rdma,boot_line,acs,lnet"
PLACES = (
    "/etc/nccl.conf", "/etc/profile.d/", "/etc/ld.so.conf.d/", "/etc/railbed/nccl-", "/etc/railbed/rails.json", "/etc/udev/",
    "/etc/railbed/lnet.json",
    "/etc/modules-load.d/", "/etc/modprobe.d/", "/etc/systemd/network/", "/etc/default/grub.d/", "/etc/systemd/system/railbed-",
)  # fmt: skip
"""Where files for NCCL, rails, LNet, RDMA devices and the boot line lie."""
IMAGE = """import json, re, sys
brings = json.loads(sys.argv[1])["image"]["brings"]
versions = {name: re.search("[0-9][0-9.]*", part["accepts"])[0] for name, part in brings.items()}
print(json.dumps({"versions": versions, "mpi_home": "", "wrong": [], "unread": ""}))
"""
"""Says of an image that it has of everything the least version that its profile accepts."""
SCHEDULER = ("/etc/slurm/slurm.conf", "/etc/slurm/gres.conf", "/etc/slurm/topology.conf")


def recorded(example: str, folder: Path, tags: str = "all") -> Recorded:
    """A dry run over the cluster of one example, or the roles of ``tags`` alone; what nodes show is that of the built trees."""
    made = example_clusters.cluster_of(example)
    program, extra = folder / "image.py", folder / "extra.json"
    program.write_text(IMAGE)
    extra.write_text(json.dumps({"image_program": str(program)}))
    return record(
        folder / "checkout", made, container=False, tags=tags, observed=example_clusters.observed(made), extra=extra
    )  # fmt: skip


def rendered(example: str) -> str:
    """The files of one example, each below its host and path."""
    with TemporaryDirectory() as folder:
        done = recorded(example, Path(folder), ROLES)
    assert done.collector.finished, "a node did not come to the end"
    assert not [one.failed_task for one in done.collector.nodes.values() if one.failed_task]
    return "\n".join(_files(done, example_clusters.cluster_of(example).with_role("compute")[0].name))


def _files(recorded: Recorded, node: str) -> Iterator[str]:
    for path in SCHEDULER:
        texts = {recorded.text(host, path) for host in recorded.files}
        assert len(texts) == 1, f"{path} is not the same on every host"
        yield f"==> all hosts {path}\n{texts.pop()}"
    for path in sorted(recorded.files[node]):
        if path.startswith(PLACES):
            yield f"==> {node} {path}\n{recorded.text(node, path)}"


if __name__ == "__main__":
    for golden in sorted(FOLDER.glob("*.txt")):
        golden.write_text(rendered(golden.stem))
