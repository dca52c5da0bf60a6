"""Trees of sysfs and procfs, made of the kinds of nodes in ``tests/unit/data/hardware``."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from railbed.catalog import load_machine
from railbed.hardware import Document, Observation, Wanted, read
from railbed.validate.node.observe import DOMAIN_QUERY, GPU_QUERY, observe
from railbed.validate.node.probe import NOT_FOUND, Answer, Probe

DATA = Path(__file__).parents[1] / "unit" / "data" / "hardware"
KINDS = sorted(path.stem for path in DATA.glob("*.yaml"))
NVIDIA, MELLANOX = "0x10de", "0x15b3"
EMPTY_GID = "0000:0000:0000:0000:0000:0000:0000:0000"


def kind(name: str) -> dict[str, Any]:
    """One kind, free to be changed."""
    found: dict[str, Any] = yaml.safe_load((DATA / f"{name}.yaml").read_text())
    return found


def wanted(one: dict[str, Any]) -> Wanted:
    """What the catalogue says of its machine."""
    machine = load_machine(one["machine"])
    return Wanted(
        machine=machine.key, transport=machine.transport, gpus=machine.gpus, rails=machine.rails,
        nics_per_rail=machine.known_nics_per_rail, nic_gbps=machine.known_nic_gbps,
    )  # fmt: skip


class Driver(Probe):
    """A probe whose nvidia-smi lists the tree's GPUs, and whose metadata service tells ``block``."""

    block: str | None = None
    domain: str | None = None
    """What nvidia-smi says of its NVLink domain."""

    def __init__(self, root: str, table: str) -> None:
        super().__init__(root)
        self.table = table

    def run(self, argv: Any, timeout_s: float = 0.0) -> Answer:
        reply = {tuple(GPU_QUERY): self.table, tuple(DOMAIN_QUERY): self.domain}.get(tuple(argv))
        return Answer(NOT_FOUND, "", "not found") if reply is None else Answer(0, reply, "")

    def get(self, url: str, headers: dict[str, str], timeout_s: float) -> str | None:
        assert url.startswith("http://169.254.169.254/opc/v2/host/") and headers == {
            "Authorization": "Bearer Oracle"
        }
        return self.block


class Tree:
    """One node below ``root``."""

    def __init__(self, root: Path, one: dict[str, Any]) -> None:
        self.root, self.one = root, one
        self.table = ""
        self.gpus: list[str] = []
        self.nvme = 0
        cpu = one["cpu"]
        self.cores = cpu["sockets"] * cpu["cores"]
        self._cpus(cpu)
        self.write("/proc/meminfo", f"MemTotal:       {one['memory_kib']} kB\nMemFree:        1000 kB\n")
        self.write("/proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=LABEL=cloudimg-rootfs ro iommu=pt\n")
        self.write("/proc/sys/kernel/osrelease", "6.8.0-60-generic\n")
        self.write(
            "/proc/mounts",
            "/dev/nvme0n1p1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n10.0.0.2:/home /home nfs4 rw 0 0\n",
        )
        self.write("/etc/os-release", 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n')
        self.write(
            "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\x06\0\0\0\0"
        )
        for at, switch in enumerate(one.get("switches", ())):
            self._switch(at, switch)
        for pair in one.get("flat", ()):
            self._flat(pair)
        for root in one.get("roots", ()):
            self._root(root)
        for row in one["others"]:
            for nic in row["nics"]:
                address = self._address(nic)
                self._nic([row["bridge"], self._port(row["bridge"], 1)], row["numa"], address, nic)
        for number in range(one["nvme"]):
            self._drive(number)
        self.table = "".join(
            f"{at}, GPU-{at:08x}-0000-0000-0000-000000000000, 0000{address.upper()}, {one['gpu']['model']}, "
            f"{one['gpu']['memory_mib']}\n"
            for at, address in enumerate(sorted(self.gpus))
        )
        if "topology" in one:
            self.write(one["topology"], self._topology())

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def document(self) -> Document:
        return Document.model_validate(observe(Driver(str(self.root), self.table)))

    def observation(self) -> Observation:
        return read(self.document())

    def _cpus(self, cpu: dict[str, int]) -> None:
        """Second threads are numbered after all first ones, as Linux does on x86."""
        for number in range(self.cores * cpu["threads"]):
            core = number % self.cores
            base = f"/sys/devices/system/cpu/cpu{number}/topology"
            self.write(f"{base}/physical_package_id", f"{core // cpu['cores']}\n")
            siblings = [str(core + self.cores * thread) for thread in range(cpu["threads"])]
            self.write(f"{base}/thread_siblings_list", ",".join(siblings) + "\n")
        for socket in range(cpu["sockets"]):
            self.write(f"/sys/devices/system/node/node{socket}/cpulist", self._local(socket) + "\n")

    def _local(self, numa: int) -> str:
        cpu = self.one["cpu"]
        first = [(numa * cpu["cores"] + self.cores * thread) for thread in range(cpu["threads"])]
        return ",".join(f"{start}-{start + cpu['cores'] - 1}" for start in first)

    @staticmethod
    def _port(bridge: str, number: int) -> str:
        return f"{bridge.removeprefix('pci')}:{number:02x}.0"

    @staticmethod
    def _address(nic: dict[str, Any]) -> str:
        return str(nic.get("address") or f"0000:{nic['bus']}:00.{nic.get('function', 0)}")

    def _switch(self, at: int, switch: dict[str, Any]) -> None:
        """Root port, the switch's upstream port, and a downstream port above every device."""
        upstream = [switch["bridge"], self._port(switch["bridge"], 1), f"000{at + 1:x}:f0:00.0"]
        down = 0
        for bus in switch["gpus"]:
            self._gpu([*upstream, f"000{at + 1:x}:f1:{down:02x}.0"], switch["numa"], f"0000:{bus}:00.0")
            down += 1
        for nic in switch["nics"]:
            path = [*upstream, f"000{at + 1:x}:f1:{nic.get('down', down):02x}.0"]
            self._nic(path, switch["numa"], self._address(nic), nic)
            down += 1

    def _flat(self, pair: dict[str, Any]) -> None:
        """As Hyper-V shows them: a domain for each device."""
        for address, nic in ((pair["gpu"], None), (pair["nic"], pair)):
            path = [f"pci{address[:7]}"]
            if nic is None:
                self._gpu(path, pair["numa"], address)
            else:
                self._nic(path, pair["numa"], address, nic)

    def _root(self, root: dict[str, Any]) -> None:
        """Devices on the bus of a host bridge itself, as Nitro shows those of p4d: no bridge is above them."""
        bus = root["bridge"].removeprefix("pci")
        for device in root["gpus"]:
            self._gpu([root["bridge"]], root["numa"], f"{bus}:{device}.0")
        for nic in root["nics"]:
            self._nic([root["bridge"]], root["numa"], f"{bus}:{nic['device']}.0", nic)

    def _function(self, above: list[str], numa: int, address: str, facts: dict[str, str]) -> str:
        folder = "/sys/devices/" + "/".join([*above, address])
        files = {"numa_node": str(numa), "local_cpulist": self._local(numa), **facts}
        for name, value in files.items():
            self.write(f"{folder}/{name}", value + "\n")
        self._link(f"/sys/bus/pci/devices/{address}", folder)
        return folder

    def _link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(Path(path).parts) - 2)
        place.symlink_to(up + target.lstrip("/"))

    def _gpu(self, above: list[str], numa: int, address: str) -> None:
        self.write(f"/proc/driver/nvidia/gpus/{address}/information", f"Device Minor: \t {len(self.gpus)}\n")
        self.gpus.append(address)
        self._function(
            above, numa, address, {"class": "0x030200", "vendor": NVIDIA, "device": self.one["gpu"]["device"]}
        )

    def _nic(self, above: list[str], numa: int, address: str, nic: dict[str, Any]) -> None:
        facts = {**self.one["nic"], **nic}
        infiniband = facts["layer"] == "InfiniBand"
        vendor = facts.get("vendor", MELLANOX)
        folder = self._function(
            above, numa, address,
            {"class": "0x020700" if infiniband else "0x020000", "vendor": vendor, "device": "0x1021"},
        )  # fmt: skip
        if facts.get("virtual"):
            self.write(f"{folder}/physfn/class", "0x020700\n")
        base = f"{folder}/infiniband/{facts['rdma']}"
        self.write(f"{base}/fw_ver", facts["firmware"] + "\n")
        up = facts.get("up", True)
        port = f"{base}/ports/1"
        for name, value in {
            "link_layer": facts["layer"], "rate": facts["rate"] if up else "2.5 Gb/sec (1X SDR)",
            "state": "4: ACTIVE" if up else "1: DOWN", "phys_state": "5: LinkUp" if up else "2: Polling",
            "gids/0": f"fe80:0000:0000:0000:a288:c2ff:fe00:{int(address[5:7], 16):04x}", "gids/1": EMPTY_GID,
            "gid_attrs/types/0": "IB/RoCE v1" if infiniband else "RoCE v2",
        }.items():  # fmt: skip
            self.write(f"{port}/{name}", value + "\n")
        self._link(f"{base}/device", folder)
        self._link(f"/sys/class/infiniband/{facts['rdma']}", base)
        if facts.get("netdev"):
            net = f"{folder}/net/{facts['netdev']}"
            for name, value in {"operstate": "up", "mtu": "4092", "dev_port": "0", "speed": "400000"}.items():
                self.write(f"{net}/{name}", value + "\n")
            self._link(f"{net}/device", folder)
            self._link(f"/sys/class/net/{facts['netdev']}", net)

    def _drive(self, number: int) -> None:
        address = f"0000:{number:02x}:1f.0"
        folder = self._function(
            ["pci0000:00"], 0, address, {"class": "0x010802", "vendor": "0x144d", "device": "0xa824"}
        )
        base = f"{folder}/nvme/nvme{number}"
        for name, value in {"model": "SAMSUNG MZWLO3T8HCLS-00A07", "serial": f"S0{number:04d}"}.items():
            self.write(f"{base}/{name}", value + "\n")
        self._link(f"{base}/device", folder)
        self._link(f"/sys/class/nvme/nvme{number}", base)
        self.write(f"/sys/block/nvme{number}n1/size", "7501476528\n")

    def _topology(self) -> str:
        """The pairs in the form of NCCL's topology files."""
        rows = []
        for at, pair in enumerate(self.one["flat"]):
            rows += [
                f'<cpu numaid="{pair["numa"]}"><pci busid="ffff:ff:{at + 1:02x}.0" class="0x060400">',
                f'<pci busid="{pair["gpu"]}" class="0x030200"/><pci busid="{pair["nic"]}" class="0x020700"/></pci></cpu>',
            ]
        return '<system version="1">\n' + "\n".join(rows) + "\n</system>\n"


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """A kind with some keys replaced."""
    return {**copy.deepcopy(kind(name)), **changes}
