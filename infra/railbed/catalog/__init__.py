"""What is known: machines, filesystem offers, releases, failure rates and rules, as YAML with a source for every fact.

Imports inputs and what is below. It reads files of its own and an overlay of the user's, and draws no conclusions: those are
in the laws, in ``railbed.software`` and in the plan.
"""

from railbed.catalog.facts import Entry, Facts, Published, Source
from railbed.catalog.images import DRIVER, STOCK, Brought, ImageProfile
from railbed.catalog.loader import (
    KINDS,
    MODELS,
    facts_of,
    find,
    load,
    load_filesystem,
    load_image,
    load_machine,
    load_published,
    load_release,
    load_reliability,
    load_remedies,
    load_rules,
    load_switch,
    load_tuning,
    nearest,
)
from railbed.catalog.machines import Board, Machine, Unpublished
from railbed.catalog.offers import FilesystemOffer, Step
from railbed.catalog.pins import Pins
from railbed.catalog.places import OVERLAY, file_of, keys
from railbed.catalog.releases import FLAT, SYSTEM, Archive, Component, Key, Release, Repository
from railbed.catalog.reliability import Reliability
from railbed.catalog.remedies import ORDER, Remedies, RungName
from railbed.catalog.rules import Known, PackageSet, Rule, Rules, Trait
from railbed.catalog.schema import file_schema
from railbed.catalog.switches import Mode, Switch
from railbed.catalog.tuning import Tuning

__all__ = [
    "DRIVER",
    "FLAT",
    "KINDS",
    "MODELS",
    "ORDER",
    "OVERLAY",
    "STOCK",
    "SYSTEM",
    "Archive",
    "Board",
    "Brought",
    "Component",
    "Entry",
    "Facts",
    "FilesystemOffer",
    "ImageProfile",
    "Key",
    "Known",
    "Machine",
    "Mode",
    "PackageSet",
    "Pins",
    "Published",
    "Release",
    "Reliability",
    "Remedies",
    "Repository",
    "Rule",
    "Rules",
    "RungName",
    "Source",
    "Step",
    "Switch",
    "Trait",
    "Tuning",
    "Unpublished",
    "facts_of",
    "file_of",
    "file_schema",
    "find",
    "keys",
    "load",
    "load_filesystem",
    "load_image",
    "load_machine",
    "load_published",
    "load_release",
    "load_reliability",
    "load_remedies",
    "load_rules",
    "load_switch",
    "load_tuning",
    "nearest",
]
