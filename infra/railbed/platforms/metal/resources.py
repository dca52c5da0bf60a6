"""What ``railbed:metal:Machine`` does when it is created, read, updated and deleted. Inputs and outputs are plain JSON data."""

from __future__ import annotations

from pathlib import Path

from railbed.defaults import METAL_WORKERS
from railbed.effects.bmc import bios, hostkey, inventory, media, power, record
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.firmware import differences
from railbed.effects.bmc.installing import install, known
from railbed.effects.bmc.inventory import Inventory
from railbed.effects.bmc.login import login
from railbed.effects.bmc.target import BmcError, IdentityError, Patience, Target, Trust
from railbed.errors import UsageError
from railbed.platforms.metal.installers import Deploy, installer, tidy
from railbed.platforms.resource import Data, Resource

WORKERS = METAL_WORKERS


class Machine:
    """One physical machine: identified, its firmware compared, installed where asked, and on.

    Inputs: those of ``machines.Wanted``. Identity and firmware are looked at first, and where they do not hold nothing is done.
    """

    replace_on = frozenset({"name", "serial"})
    outputs: tuple[str, ...] = (
        "uuid", "manufacturer", "model", "emulated", "inventory", "known_host_key", "made_generation"
    )  # fmt: skip

    def __init__(
        self, patience: Patience | None = None, presented: hostkey.Presented = hostkey.presented,
        deploy: Deploy = "direct",
    ) -> None:  # fmt: skip
        self._patience = patience
        self._presented = presented
        self._deploy = deploy

    def identity(self, inputs: Data) -> str:
        return str(inputs["serial"])

    def create(self, inputs: Data) -> Data:
        bmc = self._bmc(inputs)
        who = inventory.identify(bmc)
        have = inventory.take(bmc)
        self._hold_firmware(inputs, bmc.target, have)
        key = self._system(inputs, bmc, who.power)
        _hold_bios(inputs, bmc)
        power.turn_on(bmc)
        known(bmc, inputs["address"], key, self._presented)
        self._settle(inputs, bmc.target, key)
        return {
            "uuid": who.uuid, "manufacturer": who.manufacturer, "model": who.model, "emulated": who.emulated,
            "inventory": have.as_json(), "known_host_key": key, "made_generation": inputs["generation"],
        }  # fmt: skip

    def read(self, inputs: Data) -> Data | None:
        """Another serial number at the BMC is ``replaced``, so that a preview shows it; nothing is ever taken as gone."""
        bmc = self._bmc(inputs)
        try:
            who = inventory.identify(bmc)
        except IdentityError:
            return {"replaced": True}
        have = inventory.take(bmc)
        drift = [str(one) for one in differences(inputs["firmware"], have.firmware)]
        return {
            "replaced": False, "power": who.power, "firmware_drift": drift, "inventory": have.as_json(),
            "bios_drift": [str(one) for one in bios.differences(bmc, inputs.get("bios", {}))],
            "system_drift": _system_drift(inputs, bmc.target),
        }  # fmt: skip

    def update(self, inputs: Data) -> Data:
        """The same as a create: what is as wanted is left, and only a higher ``generation`` installs anew."""
        return self.create(inputs)

    def delete(self, inputs: Data) -> None:
        """Takes railbed's media out; disks are never wiped, and the power stays unless ``on_delete`` is ``off``."""
        bmc = self._bmc(inputs)
        try:
            media.eject_all(bmc)
        except IdentityError:
            _let_go(inputs)
            return  # the machine is no longer there: nothing of ours is in the one that is
        _let_go(inputs)
        if inputs["on_delete"] == "off":
            power.turn_off(bmc)

    def _bmc(self, inputs: Data) -> Bmc:
        target = Target(inputs["name"], inputs["serial"], inputs["bmc"])
        trust = inputs["trust"]
        pinned = Trust(Path(trust["ca_file"]) if trust["ca_file"] else None, trust["fingerprint"])
        return Bmc(target, login(Path(inputs["credentials"]), target.name), pinned, self._patience)

    def _hold_firmware(self, inputs: Data, target: Target, have: Inventory) -> None:
        found = differences(inputs["firmware"], have.firmware)
        if found:
            raise BmcError(
                target, "its firmware is not the locked one; nothing was done", code="FIRMWARE_LOCK",
                found=[str(one) for one in found], allowed=inputs["firmware"],
                hint="update the firmware, or change the lock once the new versions are qualified",
            )  # fmt: skip

    def _system(self, inputs: Data, bmc: Bmc, now: str) -> str:
        """Installs where that is asked and allowed; returns the host key that the machine must show."""
        folder, setup = Path(inputs["folder"]), inputs.get("install")
        last = record.load(folder, bmc.target.serial)
        if setup is None:
            if not inputs["host_key"]:
                raise UsageError(
                    f"{inputs['name']} is not installed by railbed, and its host key is not known", code="HOST_KEY",
                    path=str(bmc.target), allowed="an installer, or the machine's public host key in the spec",
                    hint="read it at the machine's console: cat /etc/ssh/ssh_host_ed25519_key.pub",
                )  # fmt: skip
            return hostkey.bare(inputs["host_key"])
        if record.must_install(bmc.target, inputs["generation"], last, inputs.get("made_generation"), now):
            chosen = installer(setup, bmc, inputs, self._deploy)
            return install(bmc, chosen, inputs["generation"], folder, Path(inputs["secrets"]))
        tidy(inputs)
        return last.host_key if last else str(inputs["known_host_key"])

    def _settle(self, inputs: Data, target: Target, key: str) -> None:
        folder = Path(inputs["folder"])
        last = record.load(folder, target.serial)
        if last and last.state == "written":
            record.save(folder, target, last.generation, "installed", key)


def _hold_bios(inputs: Data, bmc: Bmc) -> None:
    """Whatever installed the machine, it does not go on with other settings than those that were qualified."""
    found = bios.differences(bmc, inputs.get("bios", {}))
    if found:
        raise BmcError(
            bmc.target, "its BIOS settings are not the ones of the spec; its system was left as it is", code="BIOS_SETTINGS",
            found=[str(one) for one in found], allowed=inputs["bios"],
            hint="set them at the machine; Ironic sets them when it installs a machine anew (a higher `generation`)",
        )  # fmt: skip


def _let_go(inputs: Data) -> None:
    """A half-made installation is nobody's to go on with: it must be off to be installed again, and its key is gone."""
    if record.drop_half_made(Path(inputs["folder"]), inputs["serial"]):
        hostkey.forget(Path(inputs["secrets"]), inputs["name"])
    tidy(inputs)


def _system_drift(inputs: Data, target: Target) -> list[str]:
    """What is on the machine, as the record of its last installation says, where that is not what the engine's state says."""
    last = record.load(Path(inputs["folder"]), target.serial)
    made = inputs.get("made_generation")
    if inputs.get("install") is None or last is None or made is None:
        return []
    said = (
        [] if last.generation == made else [f"generation {last.generation} is on it, the state says {made}"]
    )
    return (
        said
        if last.state == "installed"
        else [*said, f"its installation of generation {last.generation} has not ended"]
    )


RESOURCES: dict[str, Resource] = {"railbed:metal:Machine": Machine()}
