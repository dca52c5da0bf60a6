"""Checks of a subnet manager's files against the plan: pure, over what the files say.

What a port is a member of is compared both ways: a member too many is another tenant's data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from railbed.platforms.metal.switches import opensm
from railbed.platforms.metal.switches import partitions as wanting
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.guids import Guids
from railbed.platforms.metal.switches.lint import Finding
from railbed.platforms.metal.switches.opensm import Manager, Subnet
from railbed.platforms.metal.switches.partitions import Partition

SECRET_OPTIONS = ("m_key", "sa_key", "sm_key", "cc_key", "vs_key_seed", "key_mgr_seed")
PUBLIC_KEYS = ("", "1")
"""Keys that protect nothing, without leading zeros: none, and the default of SM_Key and SA_Key."""


@dataclass
class Read:
    """One partition as the file says it."""

    names: set[str] = field(default_factory=set)
    ipoib: bool = False
    members: dict[str, str] = field(default_factory=dict)
    """GUID or keyword → membership."""
    conflicts: list[str] = field(default_factory=list)


@dataclass
class View:
    """What a subnet manager's files say."""

    options: dict[str, str]
    partitions: dict[int, Read]
    roots: set[str]
    names: dict[str, str]
    """GUID → name."""
    ufm: dict[int, dict[str, str]]
    longest_line: int


@dataclass(frozen=True)
class Asked:
    """What they must say."""

    subnet: Subnet
    manager: Manager
    guids: Guids | None
    partitions: list[Partition] | None


def read(files: Mapping[str, str]) -> View:
    """The files of one subnet; a line that is not understood says nothing."""
    options = dict(_pairs(files.get(opensm.CONFIG, "")))
    text = files.get(opensm.PARTITIONS, "")
    requests = json.loads(files.get(opensm.UFM_KEYS, "[]"))
    bodies = [request["body"] for request in requests]
    return View(
        options,
        _partitions(text),
        set(files.get(opensm.ROOTS, "").split()),
        {guid: name.strip('"') for guid, name in _pairs(files.get(opensm.NAMES, ""))},
        {
            int(body["pkey"], 16): dict(zip(body["guids"], body["memberships"], strict=True))
            for body in bodies
        },
        max(map(len, text.splitlines()), default=0),
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        words = line.split(None, 1)
        if len(words) == 2 and not line.startswith("#"):
            yield words[0], words[1].strip()


def _partitions(text: str) -> dict[int, Read]:
    bare = "\n".join(line.partition("#")[0] for line in text.splitlines())
    found: dict[int, Read] = {}
    for statement in bare.split(";")[:-1]:
        head, colon, body = statement.partition(":")
        if not head or not colon:
            continue
        name, *flags = [part.strip() for part in head.split(",")]
        name, _, key = name.partition("=")
        one = found.setdefault(int(key.strip() or "0", 0) & opensm.DEFAULT_KEY, Read())
        one.names.add(name.strip())
        one.ipoib = one.ipoib or "ipoib" in flags
        usual = next((f.partition("=")[2].strip() for f in flags if f.startswith("defmember")), "limited")
        for member in filter(None, (part.strip() for part in body.split(","))):
            guid, _, how = (part.strip() for part in member.partition("="))
            if one.members.setdefault(guid, how or usual) != (how or usual):
                one.conflicts.append(guid)
    return found


def lint(asked: Asked, view: View) -> list[Finding]:
    """All findings, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(asked, view)]


def seen(asked: Asked, _view: View) -> Iterator[Finding]:
    """Every switch and NIC of the plan was seen, once: what has no GUID is in no partition."""
    if asked.guids is None:
        return
    nics = {nic for some in asked.subnet.nics.values() for nic in some}
    for name in sorted(set(asked.subnet.switches) - set(asked.guids.switches)):
        yield Finding("guid-unknown", name, "", "this switch is not in the observed fabric")
    for nic in sorted(nics - set(asked.guids.ports)):
        yield Finding("guid-unknown", asked.subnet.name, nic, "this NIC is not in the observed fabric")
    for name in sorted(set(asked.guids.twice) & (nics | set(asked.subnet.switches))):
        yield Finding("guid-twice", asked.subnet.name, name, "two devices have this name")


def membership(asked: Asked, view: View) -> Iterator[Finding]:
    """Every port is a member of exactly the partitions that were asked for, and as asked; in both files alike."""
    if asked.guids is None:
        return
    wanted: dict[int, tuple[str, dict[str, str]]] = {}
    for one in wanting.whole(list(asked.subnet.nics)) if asked.partitions is None else asked.partitions:
        wanted[one.pkey] = (one.name, wanting.members(one, asked.subnet.nics, asked.guids))
    found = {key: one.members for key, one in view.partitions.items() if key != opensm.DEFAULT_KEY}
    for source, memberships in ((opensm.PARTITIONS, found), (opensm.UFM_KEYS, view.ufm)):
        for key in sorted(set(memberships) | set(wanted)):
            name, must = wanted.get(key, ("", {}))
            have = memberships.get(key)
            entry = f"{name or 'a partition'} {key:#06x} in {source}"
            if have is None or key not in wanted:
                yield Finding(
                    "partition", asked.subnet.name, "", f"{entry}: {'missing' if name else 'not asked for'}"
                )
                continue
            for guid in sorted(set(must) | set(have)):
                if must.get(guid) != have.get(guid):
                    why = f"{entry}: {have.get(guid, 'no member')} instead of {must.get(guid, 'no member')}"
                    yield Finding("partition-member", asked.subnet.name, guid, why)


def closed(asked: Asked, view: View) -> Iterator[Finding]:
    """The default partition gives nobody but the subnet manager and the switches full membership."""
    if asked.guids is None:
        return
    one = view.partitions.get(opensm.DEFAULT_KEY)
    if one is None:
        yield Finding(
            "default-partition", asked.subnet.name, "", "no rule: its members would be the manager's default"
        )
        return
    for member, how in one.members.items():
        if how != "limited" and member not in ("SELF", "ALL_SWITCHES"):
            yield Finding(
                "default-partition", asked.subnet.name, member, "a full member: it reaches every tenant"
            )
    if one.members.get("SELF") != "full":
        yield Finding(
            "default-partition", asked.subnet.name, "SELF", "the subnet manager must reach everyone"
        )


def unambiguous(asked: Asked, view: View) -> Iterator[Finding]:
    """A key has one name, a port one membership in it, and a line the length that UFM takes."""
    for key, one in view.partitions.items():
        if len(one.names) > 1:
            yield Finding(
                "partition-name", asked.subnet.name, "", f"{key:#06x} is {' and '.join(sorted(one.names))}"
            )
        for guid in one.conflicts:
            yield Finding("partition-member", asked.subnet.name, guid, f"full and limited in {key:#06x}")
    if view.longest_line > facts().partition_line_characters:
        length = f"{view.longest_line} characters, UFM takes {facts().partition_line_characters}"
        yield Finding("partition-line", asked.subnet.name, "", length)


def routing(asked: Asked, view: View) -> Iterator[Finding]:
    """The engine fits the tiers, its roots are the top tier and nothing else, and SHARP is as asked."""
    subnet, manager = asked.subnet, asked.manager
    engine = view.options.get("routing_engine")
    if engine != manager.engine(subnet.tiers):
        yield Finding(
            "routing-engine", subnet.name, "", f"{engine} instead of {manager.engine(subnet.tiers)}"
        )
    wanted = (
        {asked.guids.switches[n] for n in subnet.roots if n in asked.guids.switches} if asked.guids else set()
    )
    if view.roots != wanted or ("root_guid_file" in view.options) != (asked.guids is not None):
        difference = f"missing {sorted(wanted - view.roots)}, too many {sorted(view.roots - wanted)}"
        yield Finding("root-guids", subnet.name, "", difference)
    if manager.kind == "nvidia":
        on = view.options.get("sharp_enabled") == str(facts().sharp_enable)
        if on != manager.sharp:
            yield Finding("sharp", subnet.name, "", f"SHARP is {'on' if on else 'off'}")


def named(asked: Asked, view: View) -> Iterator[Finding]:
    """Every switch that was seen has its name in the map: reports then speak the plan's language."""
    if asked.guids is None:
        return
    for name in asked.subnet.switches:
        guid = asked.guids.switches.get(name)
        if guid is not None and view.names.get(guid) != name:
            yield Finding("node-name", name, "", f"{guid} is {view.names.get(guid, 'not named')}")


def secrets(asked: Asked, view: View) -> Iterator[Finding]:
    """No management key is in a file that goes into repositories and mails."""
    for option in SECRET_OPTIONS:
        value = view.options.get(option, "0")
        if value.removeprefix("0x").lstrip("0") not in PUBLIC_KEYS:
            yield Finding("secret", asked.subnet.name, "", f"{opensm.CONFIG} {option} holds a secret")


Check = Callable[[Asked, View], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (seen, membership, closed, unambiguous, routing, named, secrets)
