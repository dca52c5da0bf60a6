"""What is known: machines, filesystem offers and software releases, as YAML with a source for every fact."""

from railbed.catalog.facts import Component, Entry, Facts, FilesystemOffer, Machine, Release, Source
from railbed.catalog.loader import (
    KINDS,
    facts_of,
    file_of,
    find,
    keys,
    load,
    load_filesystem,
    load_machine,
    load_release,
    nearest,
)

__all__ = [
    "KINDS",
    "Component",
    "Entry",
    "Facts",
    "FilesystemOffer",
    "Machine",
    "Release",
    "Source",
    "facts_of",
    "file_of",
    "find",
    "keys",
    "load",
    "load_filesystem",
    "load_machine",
    "load_release",
    "nearest",
]
