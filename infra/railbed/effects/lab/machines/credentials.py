"""Who a virtual machine is, as a systemd credential that its firmware shows it (systemd.system-credentials(7)).

The disk image has no identity, and stays as it is in the cache. At each boot systemd-tmpfiles writes these files. What is no
secret comes in a folder (``setup``), since systemd 252 takes no more of the firmware than one page.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.errors import HostError

NAME = "io.systemd.credential.binary:tmpfiles.extra"
SETUP_TAG = "setup"
"""9p's name of the folder that guest/railbed-lab-setup reads."""
LINKS, FOLDERS, FILES, GPUS = "links", "folders", "files", "gpus"
"""In it: its interfaces, the folders it is shown, files that it gets where it has none yet, and what its GPUs say they are."""
MOST_BYTES = 4000
"""Of the whole string. systemd 252 reads the firmware's table by one read(2) of sysfs, which gives a page (4096 bytes); cut
there, a credential is dropped without a word on the console (seen on Debian 12)."""


@dataclass(frozen=True)
class File:
    """One file of the machine."""

    path: str
    text: str
    mode: str = "0644"

    @property
    def line(self) -> str:
        """Of tmpfiles.d(5): ``+`` writes it anew, ``~`` takes base64."""
        coded = base64.b64encode(self.text.encode()).decode()
        return f"f+~ {self.path} {self.mode} root root - {coded}"


@dataclass(frozen=True)
class Link:
    """One interface: what the NIC with this address is called and has."""

    mac: str
    name: str
    address: str
    mtu: int
    roce: bool = False
    """Whether it has an RDMA device (soft RoCE) on it."""

    @property
    def line(self) -> str:
        kind = "roce" if self.roce else "ethernet"
        return f"{self.mac} {self.name} {self.address} {self.mtu} {kind}\n"


@dataclass(frozen=True)
class GpuModel:
    """PCI numbers of the GPU that the stand-ins show (pci.ids)."""

    vendor: str = "0x10de"
    device: str = "0x2330"
    """GH100, H100 SXM5 80GB."""


@dataclass(frozen=True)
class Folder:
    """A folder of this computer that the machine sees at ``target``; ``tag`` is 9p's name of it."""

    tag: str
    target: str
    read_only: bool


def identity(name: str, host_key: str, host_key_public: str, authorized_key: str) -> list[File]:
    """Host name, SSH host key and who may log in."""
    return [
        File("/etc/hostname", f"{name}\n"),
        File("/etc/ssh/ssh_host_ed25519_key", host_key, "0600"),
        File("/etc/ssh/ssh_host_ed25519_key.pub", host_key_public),
        File("/root/.ssh/authorized_keys", f"{authorized_key}\n", "0600"),
    ]


def setup(
    links: Sequence[Link], folders: Sequence[Folder], files: Sequence[File], gpus: GpuModel
) -> dict[str, str]:
    """Path in the folder that guest/railbed-lab-setup reads → text."""
    shown = [f"{one.tag} {one.target} {'ro' if one.read_only else 'rw'}\n" for one in folders]
    return {
        LINKS: "".join(one.line for one in links),
        FOLDERS: "".join(shown),
        GPUS: f"{gpus.vendor} {gpus.device}\n",
        **{f"{FILES}{one.path}": one.text for one in files},
    }


def credential(files: Sequence[File]) -> str:
    """The text of the SMBIOS string (type 11). It has the host's secret key: it goes to QEMU as a file, never as a word.

    Raises HostError where it is longer than systemd reads.
    """
    lines = ["d /root/.ssh 0700 root root -", *(file.line for file in files)]
    text = "".join(f"{line}\n" for line in lines)
    made = f"{NAME}={base64.b64encode(text.encode()).decode()}"
    if len(made) > MOST_BYTES:
        raise HostError(
            "the machine's identity does not fit into its firmware's table", found=f"{len(made)} bytes",
            allowed=f"{MOST_BYTES} bytes", hint="use a shorter SSH key (ed25519) for the operator",
        )  # fmt: skip
    return made
