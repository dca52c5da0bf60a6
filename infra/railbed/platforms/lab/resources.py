"""What each lab resource does when it is created, read, updated and deleted. Inputs and outputs are plain JSON data."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.effects.lab import hosts, names, network, sweep, switches
from railbed.effects.lab.hosts import Bind, HostSpec
from railbed.effects.lab.image import ensure_image, images_dir
from railbed.effects.lab.machines import hosts as machines
from railbed.effects.lab.machines import image as machine_image
from railbed.effects.lab.machines.hosts import MachineSpec
from railbed.effects.lab.network import RailPort
from railbed.effects.lab.packages import ensure_repository, repositories_dir
from railbed.effects.lab.training import ensure_training_stack
from railbed.platforms.resource import Data, Resource

WORKERS = None
"""Effects at a time: Python's own number for the machine's CPUs; here they are work, not waiting."""


def _quiet(_: str) -> None:
    """Progress of a build that runs inside a provider goes to the build's log only."""


class Image:
    """Host image, package repository and training stack in the cache, shared by all labs; never deleted with a stack."""

    replace_on = frozenset({"tools"})
    outputs: tuple[str, ...] = ("image", "containers", "repository", "training")

    def identity(self, inputs: Data) -> str:
        return f"{inputs['image_digest']}-{inputs['repository_digest']}"

    def create(self, inputs: Data) -> Data:
        tools = Path(inputs["tools"])
        image = str(ensure_image(_quiet))
        return {
            "image": image,
            "containers": image,
            "repository": str(ensure_repository(tools, _quiet)),
            "training": str(ensure_training_stack(tools, _quiet)),
        }

    def read(self, inputs: Data) -> Data | None:
        kept = images_dir() / inputs["image_digest"], repositories_dir() / inputs["repository_digest"]
        return self.create(inputs) if all(folder.is_dir() for folder in kept) else None

    def update(self, inputs: Data) -> Data:
        return self.create(inputs)

    def delete(self, inputs: Data) -> None:
        """The cache goes with `make clean-cache`."""


class MachineImage(Image):
    """The same for virtual machines: a kernel and a disk besides; ``image`` is their folder, ``containers`` as before."""

    def create(self, inputs: Data) -> Data:
        return {**super().create(inputs), "image": str(machine_image.ensure_image(_quiet).folder)}

    def read(self, inputs: Data) -> Data | None:
        kept = (
            machine_image.images_dir() / inputs["image_digest"],
            repositories_dir() / inputs["repository_digest"],
        )
        return self.create(inputs) if all(folder.is_dir() for folder in kept) else None


class Network:
    """The namespaces of switches and of railbed itself, and the management network."""

    replace_on = frozenset({"lab_id", "lab_dir", "management_cidr"})
    outputs: tuple[str, ...] = ("control_namespace", "fabric_namespace")

    def identity(self, inputs: Data) -> str:
        return names.namespace_prefix(inputs["lab_id"])

    def create(self, inputs: Data) -> Data:
        fabric, control = names.fabric_namespace(inputs["lab_id"]), names.control_namespace(inputs["lab_id"])
        network.ensure_namespace(fabric)
        network.ensure_namespace(control)
        network.ensure_bridge(fabric, names.MANAGEMENT_SWITCH, int(inputs["mtu"]))
        network.ensure_control(inputs["lab_id"], inputs["management_cidr"], int(inputs["mtu"]))
        return {"control_namespace": control, "fabric_namespace": fabric}

    def read(self, inputs: Data) -> Data | None:
        fabric, control = names.fabric_namespace(inputs["lab_id"]), names.control_namespace(inputs["lab_id"])
        bridge = network.links(fabric).get(names.MANAGEMENT_SWITCH)
        if bridge is None or "mgmt0" not in network.links(control):
            return None
        return {"mtu": bridge["mtu"], "control_namespace": control, "fabric_namespace": fabric}

    def update(self, inputs: Data) -> Data:
        return self.create(inputs)

    def delete(self, inputs: Data) -> None:
        """Last to go, so it also takes what a create that was killed left without a trace in the state."""
        sweep.sweep(inputs["lab_id"], Path(inputs["lab_dir"]))


class Switch:
    """The leaf switch of one rail."""

    replace_on = frozenset({"lab_id", "name"})
    outputs: tuple[str, ...] = ()

    def identity(self, inputs: Data) -> str:
        return f"{names.namespace_prefix(inputs['lab_id'])}{inputs['name']}"

    def _place(self, inputs: Data) -> tuple[str, Path, int]:
        """Lab, its folder and the rail; the state of an earlier railbed has no folder, and its switches do not speak."""
        return inputs["lab_id"], Path(inputs.get("lab_dir", "")), names.rail_of(inputs["name"])

    def create(self, inputs: Data) -> Data:
        switches.ensure(*self._place(inputs), int(inputs["mtu"]), ensure_image(_quiet))
        return {}

    def read(self, inputs: Data) -> Data | None:
        bridge = network.links(names.fabric_namespace(inputs["lab_id"])).get(inputs["name"])
        if bridge is None:
            return None
        speaks = switches.speaks(*self._place(inputs))
        return {"mtu": bridge["mtu"] if "UP" in bridge["flags"] else 0, "speaks": speaks}

    def update(self, inputs: Data) -> Data:
        return self.create(inputs)

    def delete(self, inputs: Data) -> None:
        switches.remove(*self._place(inputs))


class Filesystem:
    """The disks of a shared filesystem's data servers; they outlive a host that is imaged anew."""

    replace_on = frozenset({"lab_dir", "name"})
    outputs: tuple[str, ...] = ("folder",)

    def identity(self, inputs: Data) -> str:
        return str(self._folder(inputs))

    def _folder(self, inputs: Data) -> Path:
        return Path(inputs["lab_dir"]) / "filesystems" / str(inputs["name"])

    def create(self, inputs: Data) -> Data:
        for server in inputs["servers"]:
            (self._folder(inputs) / server).mkdir(parents=True, exist_ok=True)
        return {"folder": str(self._folder(inputs))}

    def read(self, inputs: Data) -> Data | None:
        folder = self._folder(inputs)
        if not folder.is_dir():
            return None
        return {"servers": [s for s in inputs["servers"] if (folder / s).is_dir()], "folder": str(folder)}

    def update(self, inputs: Data) -> Data:
        return self.create(inputs)

    def delete(self, inputs: Data) -> None:
        if self._folder(inputs).exists():
            shutil.rmtree(self._folder(inputs))


class Host:
    """A host with its cables and shapers; its disk is new only when it is created or replaced."""

    replace_on = frozenset(
        {
            "lab_id",
            "lab_dir",
            "name",
            "address",
            "image",
            "authorized_key",
            "gpus",
            "gpu_model",
            "binds",
            "roce",
        }
    )
    outputs: tuple[str, ...] = ("host_key", "machine_id")

    def identity(self, inputs: Data) -> str:
        return names.namespace(inputs["lab_id"], inputs["name"])

    def _spec(self, inputs: Data) -> HostSpec:
        rails = [
            RailPort(int(r["index"]), r["address"], int(r["mtu"]), float(r["rate_mbit"]), int(r["burst_kib"]))
            for r in inputs["rails"]
        ]
        binds = [Bind(b["source"], b["target"], bool(b["read_only"])) for b in inputs["binds"]]
        return HostSpec(
            lab_id=inputs["lab_id"], lab_dir=inputs["lab_dir"], name=inputs["name"], address=inputs["address"],
            octet=int(inputs["octet"]), mtu=int(inputs["mtu"]), image=inputs["image"],
            authorized_key=inputs["authorized_key"], gpus=int(inputs["gpus"]), gpu_model=inputs["gpu_model"],
            gpu_memory_mib=int(inputs["gpu_memory_mib"]), rails=rails, binds=binds,
            roce=bool(inputs.get("roce", False)),
        )  # fmt: skip

    def _made(self, spec: HostSpec) -> Data:
        return {"host_key": hosts.host_key(spec), "machine_id": hosts.machine_id(spec)}

    def create(self, inputs: Data) -> Data:
        spec = self._spec(inputs)
        hosts.create(spec)
        return self._made(spec)

    def read(self, inputs: Data) -> Data | None:
        spec = self._spec(inputs)
        seen = hosts.observe(spec)
        if seen is None:
            return None
        made = self._made(spec) if spec.root.is_mount() else {}
        return {**seen, **made}

    def update(self, inputs: Data) -> Data:
        spec = self._spec(inputs)
        hosts.ensure(spec)
        return self._made(spec)

    def _of_other_kind(self, folder: Path) -> bool:
        return machines.made_in(folder)

    def delete(self, inputs: Data) -> None:
        """Does nothing where the host was made anew as one of the other kind: the folder is that one's."""
        lab_dir = Path(inputs["lab_dir"])
        if not self._of_other_kind(hosts.folder_of(lab_dir, inputs["name"])):
            hosts.destroy(inputs["lab_id"], inputs["name"], lab_dir)


class Machine(Host):
    """A host that is a virtual machine."""

    def create(self, inputs: Data) -> Data:
        spec = self._spec(inputs)
        machines.create(MachineSpec(spec))
        return self._made(spec)

    def _made(self, spec: HostSpec) -> Data:
        return {"host_key": machines.host_key(spec), "machine_id": machines.machine_id(spec)}

    def read(self, inputs: Data) -> Data | None:
        spec = self._spec(inputs)
        seen = machines.observe(spec)
        return None if seen is None else {**seen, **self._made(spec)}

    def update(self, inputs: Data) -> Data:
        spec = self._spec(inputs)
        machines.ensure(MachineSpec(spec))
        return self._made(spec)

    def _of_other_kind(self, folder: Path) -> bool:
        return hosts.made_in(folder)


RESOURCES: dict[str, Resource] = {
    "railbed:lab:Image": Image(),
    "railbed:lab:MachineImage": MachineImage(),
    "railbed:lab:Network": Network(),
    "railbed:lab:Switch": Switch(),
    "railbed:lab:Filesystem": Filesystem(),
    "railbed:lab:Host": Host(),
    "railbed:lab:Machine": Machine(),
}
