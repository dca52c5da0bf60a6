"""One node: what its files hold and its programs print, made of facts that a table may change."""

from __future__ import annotations

import copy
import json
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.node_trees import Tree
from tests.support.replay import dcgm, devices, ethernet, leftovers
from tests.support.replay.facts import HEALTHY, kind, parts, template

from railbed.contract import Node
from railbed.validate.node import acs, read_requests, scheduler_files
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Answer, Probe
from railbed.validate.node.test_xid import FIRST, WRITTEN

BOOTED = '{"MESSAGE": "Linux version 6.8.0-60-generic (buildd@lcy02-amd64-098)", "_TRANSPORT": "kernel"}\n'
NO_JOB = "Access denied by pam_slurm_adopt: you have no active jobs on this node"
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n"
)
GPU_XML = template("nvidia-smi-gpu.xml")


class Machine(Probe):
    """The node as a probe of the on-node suite: files below ``root``, and programs that answer from the facts."""

    def __init__(
        self, root: Path, node: Node, cluster: str, found: dict[str, Any], number: int, *, as_on: Machine | None = None
    ) -> None:  # fmt: skip
        """``as_on``: a machine whose files are these too."""
        super().__init__(str(as_on.root if as_on else root))
        self.node, self.cluster, self.facts, self.number = node, cluster, found, number
        self.want: dict[str, Any] = {}
        self.kind = kind(HEALTHY[cluster]["kind"])
        one = copy.deepcopy(self.kind)
        one["memory_kib"] = found["memory_kib"]
        for part in parts(one):
            part["nics"] = [nic for nic in part["nics"] if found["cards"][nic["rdma"]]["there"]]
        self.tree = as_on.tree if as_on else Tree(root, one)
        self.buses = [f"0000{address.upper()}" for address in sorted(self.tree.gpus)]
        if not as_on:
            self._files(root)

    def _files(self, root: Path) -> None:
        write, found = self.tree.write, self.facts
        write(
            "/proc/cmdline",
            f"BOOT_IMAGE=/boot/vmlinuz-{found['kernel']} root=UUID=0 ro {found['boot_line']}\n",
        )
        write("/proc/sys/kernel/osrelease", found["kernel"] + "\n")
        for kernel in {found["kernel"], found["next_kernel"]}:
            write(f"/boot/vmlinuz-{kernel}", "")
        write("/etc/machine-id", f"0f8c2a4e6b1d4c3f9a7e5d2b1c0f{self.number:04x}\n")
        if self.node.identity.kind == "serial":
            write("/sys/class/dmi/id/product_serial", self.node.identity.value + "\n")
        else:
            write("/var/lib/cloud/data/instance-id", self.node.identity.value + "\n")
        write("/etc/enroot/enroot.conf", "ENROOT_DATA_PATH /var/lib/enroot/data/user-$(id -u)\n")
        for name in scheduler_files.NAMES:
            write(f"{scheduler_files.FOLDER}/{name}", f"# {name}\n")
        network = HEALTHY[self.cluster]["network"]
        mounts = ["/dev/nvme0n1p2 / ext4 rw 0 0\n"]
        for at, (name, fact) in enumerate((("scratch", "lustre"), ("data", "data")), 1):
            if found[fact] != "absent":
                mounts.append(f"10.80.250.{at}@{network}:/{name} /{name} lustre rw,nosuid,nodev,flock 0 0\n")
        write("/proc/mounts", "".join(mounts))
        write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        write("/proc/sys/kernel/numa_balancing", "0\n")
        write("/usr/local/cuda/version.json", '{"cuda": {"version": "12.8.1"}}\n')
        write("/opt/amazon/efa_installed_packages", "# EFA installer version: 1.50.0\n")
        (root / "opt/amazon/openmpi").mkdir(parents=True, exist_ok=True)
        for at, gpu in enumerate(found["gpus"]):
            if gpu["there"]:
                write(f"/dev/nvidia{at}", "")
        if self.node.identity.kind == "serial":
            for cpu in (0, 1):
                write(
                    f"/sys/devices/system/cpu/cpufreq/policy{cpu}/scaling_governor", found["governor"] + "\n"
                )
                write(f"/sys/devices/system/cpu/cpu{cpu}/cpuidle/state1/latency", "2\n")
        devices.gdrcopy(self)
        leftovers.write(self)
        self._registers(root)
        self._cards()
        devices.pci_errors(self)
        devices.partition(self)
        if self.node.rails:
            ethernet.write(self)
        for path, text in found["other_files"].items():
            write(path, text)

    def _registers(self, root: Path) -> None:
        for address in acs.bridges(str(root)):
            config = bytearray(4096)
            struct.pack_into("<IIH", config, acs.EXTENDED, acs.ACS_ID | 1 << 16, 0, 0)
            struct.pack_into("<H", config, acs.EXTENDED + acs.ACS_CONTROL, self.facts["acs"])
            self._bytes(root / acs.DEVICES / address / "config", bytes(config))
        for address in read_requests.cards(str(root)):
            config = bytearray(read_requests.STANDARD_END)
            config[read_requests.STATUS], config[read_requests.POINTER] = read_requests.HAS_LIST, 0x40
            config[0x40] = read_requests.EXPRESS_ID
            struct.pack_into("<H", config, 0x40 + read_requests.CONTROL, self.facts["read_request"])
            self._bytes(root / read_requests.DEVICES / address / "config", bytes(config))

    @staticmethod
    def _bytes(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _cards(self) -> None:
        for at, (name, card) in enumerate(self.facts["cards"].items()):
            if not card["there"]:
                continue
            base = f"/sys/class/infiniband/{name}"
            self.tree.write(f"{base}/node_guid", f"a288:c203:{self.number:04x}:{at:04x}\n")
            for file in ("state", "phys_state", "rate"):
                self.tree.write(f"{base}/ports/1/{file}", card[file] + "\n")
            if self.node.identity.kind == "serial":
                for file, value in (("link_width", card["width"]), ("link_speed", card["speed"])):
                    self.tree.write(f"{base}/device/current_{file}", value + "\n")
                    for place in ("", "../"):
                        most = "16" if file == "link_width" else "32.0 GT/s PCIe"
                        self.tree.write(f"{base}/device/{place}max_{file}", most + "\n")

    def execute(self, argv: Sequence[str], timeout_s: float) -> Answer:
        """What a program of the node says."""
        words = list(argv)
        if words[:2] == ["sudo", "-n"]:
            words = words[2:]
        line = " ".join(words)
        for asked, said in self.facts["says"].items():
            if line.startswith(asked):
                return Answer(said.get("code", 0), said.get("out", ""), said.get("err", ""))
        answer = getattr(self, "_" + re.sub(r"\W", "_", Path(words[0]).name.split(".")[0]), None)
        found: Answer | None = answer(words) if answer else None
        return found or Answer(NOT_FOUND, "", f"{words[0]}: not found")

    def together(self, commands: Sequence[Sequence[str]], timeout_s: float = 10) -> list[Answer]:
        return [self.execute(argv, timeout_s) for argv in commands]

    def _nvidia_smi(self, words: list[str]) -> Answer:
        if self.facts["nvidia_smi"] == "hangs":
            return Answer(TIMED_OUT, "", "nvidia-smi: no answer within 10 s")
        if self.facts["nvidia_smi"] == "no driver":
            return Answer(9, NO_DRIVER, "")
        every = [(at, gpu) for at, gpu in enumerate(self.facts["gpus"]) if gpu["there"]]
        lost = next((at for at, gpu in every if gpu["lost"]), None)
        line = " ".join(words[1:])
        text = f"Unable to determine the device handle for GPU{lost}: {self.buses[lost or 0]}: GPU is lost.  Reboot the system\n"
        chosen = re.search(r" --id=([\d,]+)", line)
        if lost is not None and line != "-L" and not chosen:
            return Answer(15, text, "")
        rows = [
            self._row(line, number, at, gpu) for number, (at, gpu) in enumerate(every)
            if not gpu["lost"] and (chosen is None or str(number) in chosen[1].split(","))
        ]  # fmt: skip
        out = "".join(rows)
        if line == "-q -x":
            out = f"<nvidia_smi_log>\n\t<driver_version>{self.facts['driver']}</driver_version>\n{out}</nvidia_smi_log>\n"
        return Answer(0, out + (text if lost is not None and line == "-L" else ""), "")

    def _row(self, line: str, number: int, at: int, gpu: dict[str, Any]) -> str:
        uuid = f"GPU-{self.number:08x}-0000-0000-0000-{at:012x}"
        query = re.match(r"--query-gpu=(\S+)", line)
        if query:
            most_w = HEALTHY[self.cluster].get("gpu", {}).get("power_w", "700.00")
            known = {
                "index": number, "memory.total": gpu["memory_mib"], "driver_version": self.facts["driver"], "uuid": uuid,
                "serial": f"16543{self.number:04d}{at:04d}", "persistence_mode": gpu["persistence"], "pci.bus_id": self.buses[at],
                "pcie.link.width.current": gpu["width"], "pcie.link.width.max": 16, "power.limit": gpu["power_w"],
                "clocks_event_reasons.active": gpu["reasons"], "power.default_limit": most_w, "mig.mode.current": gpu["mig"],
            }  # fmt: skip
            return ", ".join(str(known[name]) for name in query[1].split(",")) + "\n"
        if line == "-q -x":
            return GPU_XML.substitute(
                {**gpu, "bus": self.buses[at], "minor": at, "apps": leftovers.apps(gpu["apps"])}
            )
        if line == "nvlink --status":
            links = "".join(f"\t Link {n}: {speed}\n" for n, speed in enumerate(gpu["links"]))
            return f"GPU {number}: {gpu['model']} (UUID: {uuid})\n{links}"
        assert line == "-L", line
        return f"GPU {number}: {gpu['model']} (UUID: {uuid})\n"

    def _nv_fabricmanager(self, words: list[str]) -> Answer:
        return Answer(0, f"Fabric Manager version is : {self.facts['fabric_manager']}\n", "")

    def _systemctl(self, words: list[str]) -> Answer:
        state = self.facts["slurmd" if words[-1].startswith("slurm") else "fabric_manager_state"]
        return Answer(0 if state == "active" else 3, state + "\n", "")

    def _dcgmi(self, words: list[str]) -> Answer | None:
        if not self.facts["dcgm"]:
            return None
        if words[1] == "--version":
            return Answer(0, f"\ndcgmi  version: {self.facts['dcgm']}\n", "")
        return Answer(0, f"{len(dcgm.answering(self))} GPUs found.\n", "")

    def _nvme(self, words: list[str]) -> Answer:
        """The health log of a drive, with the keys of nvme-cli 2; numbers are built."""
        assert words[1] == "smart-log" and words[3:] == ["-o", "json"], words
        log = {
            "critical_warning": 0,
            "temperature": 309,
            "avail_spare": 100,
            "spare_thresh": 10,
            "percent_used": 1,
        }
        log |= {"media_errors": 0, **self.facts["drives"].get(words[2].rpartition("/")[2], {})}
        return Answer(0, json.dumps(log), "")

    def _find(self, words: list[str]) -> Answer:
        assert words[1] == "/dev/shm", words
        return Answer(0, "".join(f"{row}\n" for row in self.facts["shared"]), "")

    def _enroot(self, words: list[str]) -> Answer:
        return Answer(0, self.facts["enroot"] + "\n", "")

    def _nvidia_ctk(self, words: list[str]) -> Answer:
        return Answer(0, f"NVIDIA Container Toolkit CLI version {self.facts['container_toolkit']}\n", "")

    def _stat(self, words: list[str]) -> Answer:
        if words[-1].endswith("/dev/gdrdrv"):
            return devices.device(self, words[-1])
        return Answer(0, "1777\n", "") if "--format=%a" in words else Answer(0, "lustre\n", "")

    def _uname(self, words: list[str]) -> Answer:
        return Answer(0, self.facts["kernel"] + "\n", "")

    def _modinfo(self, words: list[str]) -> Answer:
        if words[1] == "--version":
            return Answer(0, "kmod version 31\n", "")
        if "vermagic" in words:
            there = self.facts["built_for"] == words[words.index("-k") + 1]
            return (
                Answer(0, f"{self.facts['built_for']} SMP mod_unload\n", "")
                if there
                else Answer(1, "", "not found")
            )
        if words[-1] == "gdrdrv":
            return devices.module()
        return (
            Answer(0, f"{self.facts['driver']}\n", "")
            if words[2] == "version"
            else Answer(1, "", "not found")
        )

    def _srun(self, words: list[str]) -> Answer:
        if self.facts["step"]:
            return Answer(
                self.facts["step"],
                "",
                "srun: error: Unable to allocate resources: Requested nodes are busy\n",
            )
        return Answer(0, f"{self.facts['memlock']}\n1048576\n", "")

    def _journalctl(self, words: list[str]) -> Answer:
        if self.facts["log_code"]:
            return Answer(
                self.facts["log_code"], "", "Hint: You are currently not seeing messages from the system.\n"
            )
        if words == FIRST:
            return Answer(0, BOOTED, "")
        assert words == WRITTEN
        entries = [{"MESSAGE": line, "_TRANSPORT": "kernel"} for line in self.facts["log"]]
        return Answer(0 if entries else 1, "".join(json.dumps(entry) + "\n" for entry in entries), "")

    def _chronyc(self, words: list[str]) -> Answer:
        if words[1] == "waitsync":
            return Answer(0, "", "")
        fields = [self.facts["time_source"], "3", "1764489600.123", self.facts["offset_s"], "0.000000015", "0.000001",
                  "-5.2", "0.001", "0.03", "0.0003", "0.0001", "64.2", self.facts["leap"]]  # fmt: skip
        return Answer(0, ",".join(fields) + "\n", "")

    def _dpkg_query(self, words: list[str]) -> Answer:
        if "Status-Status" in words[3]:
            names = {
                "nvidia-fabricmanager-595": self.facts["fabric_manager"], "datacenter-gpu-manager-4-core": self.facts["dcgm"],
                "nvidia-container-toolkit": self.facts["container_toolkit"], "libfabric1-aws": "2.4.0", "libnccl-ofi": "1.21.1",
                "openmpi40-aws": "4.1.7",
            }  # fmt: skip
            return Answer(
                0, "".join(f"{name}\t{version}-1\tinstalled\n" for name, version in names.items()), ""
            )
        locked = {**self.want["packages"], **self.facts["packages"]}
        pinned = self.want["held_packages"]
        rows = [f"{n}\t{locked[n]}\t{'hi' if n in pinned else 'ii'} \n" for n in words[4:] if locked.get(n)]
        return Answer(0, "".join(rows), "")

    def _ip(self, words: list[str]) -> Answer:
        return Answer(0, ethernet.ip(self), "")

    def _dcb(self, words: list[str]) -> Answer:
        return Answer(0, ethernet.dcb(self, words), "")

    def _unmunge(self, words: list[str]) -> Answer:
        return Answer(
            self.facts["unmunge"], "", "unmunge: Error: Invalid credential\n" if self.facts["unmunge"] else ""
        )

    def _env(self, words: list[str]) -> Answer:
        return devices.torch(self)

    def _setpriv(self, words: list[str]) -> Answer:
        return Answer(0, "[]\n", "")

    def _python(self, words: list[str]) -> Answer:
        """The probe of PAM, as roles set it up."""
        said = {
            self.node.ssh.user: {"status": 0, "messages": []},
            "nobody": {"status": self.facts["logins"], "messages": [NO_JOB] if self.facts["logins"] else []},
        }
        return Answer(0, json.dumps(said) + "\n", "")

    def _python3(self, words: list[str]) -> Answer:
        """The connection to the metadata service, tried by root; or PAM's probe."""
        return Answer(0, json.dumps(words[-2:-1]) + "\n", "") if "-c" in words else self._python(words)
