"""What is known: machines, filesystem offers and software releases, as YAML with a source for every fact."""

from railbed.catalog.facts import Component, Facts, FilesystemOffer, Machine, Release, Source
from railbed.catalog.loader import (
    KINDS,
    keys,
    load_filesystem,
    load_machine,
    load_release,
    nearest,
)

__all__ = [
    "KINDS",
    "Component",
    "Facts",
    "FilesystemOffer",
    "Machine",
    "Release",
    "Source",
    "keys",
    "load_filesystem",
    "load_machine",
    "load_release",
    "nearest",
]
