"""What apt-get says of its sources → which is at fault, and how. Texts: apt 2.6.2 on Debian 12, against a local repository."""

from __future__ import annotations

import pytest
from tests.unit.configure import modules

APT = modules.APT
AT = "http://127.0.0.1:8765"
SAID = {
    "down": f"""\
Ign:1 {AT} ./ InRelease
Err:1 {AT} ./ InRelease
  Could not connect to 127.0.0.1:8765 (127.0.0.1). - connect (111: Connection refused)
Reading package lists...
E: Failed to fetch {AT}/./InRelease  Could not connect to 127.0.0.1:8765 (127.0.0.1). - connect (111: Connection refused)
E: Some index files failed to download. They have been ignored, or old ones used instead.
""",
    "missing (404)": f"""\
Ign:1 {AT} ./ InRelease
Err:2 {AT} ./ Release
  404  File not found [IP: 127.0.0.1 8765]
Reading package lists...
E: The repository '{AT} ./ Release' no longer has a Release file.
""",
    "wrongly signed": f"""\
Get:1 {AT} ./ InRelease [1140 B]
Err:1 {AT} ./ InRelease
  The following signatures were invalid: BADSIG 73E3B6EE32DF9F6A railbed lab <lab@example.invalid>
W: An error occurred during the signature verification. The repository is not updated and the previous index files will be used.
E: Failed to fetch {AT}/./InRelease  The following signatures were invalid: BADSIG 73E3B6EE32DF9F6A railbed lab
""",
    "corrupt (wrong hash)": f"""\
Get:2 {AT} ./ Packages [846 B]
Err:2 {AT} ./ Packages
  File has unexpected size (24 != 846). Mirror sync in progress? [IP: 127.0.0.1 8765]
  Hashes of expected file:
   - Filesize:846 [weak]
""",
}


@pytest.mark.parametrize("found", SAID)
def test_a_source_is_named_once_with_what_was_found(found: str) -> None:
    (trouble,) = APT.troubles(SAID[found])
    assert (trouble.source, trouble.found) == (AT, found)
    assert str(trouble).startswith(f"package source {AT} is {found}: ")


def test_a_source_without_a_signature_is_wrongly_signed() -> None:
    (trouble,) = APT.troubles(
        f"Ign:3 {AT} ./ Release.gpg\nE: The repository '{AT} ./ Release' is not signed.\n"
    )
    assert (trouble.source, trouble.found) == (AT, "wrongly signed")


def test_every_source_at_fault_is_named() -> None:
    other = SAID["down"].replace("8765", "8766")
    assert [one.found for one in APT.troubles(SAID["wrongly signed"] + other)] == ["wrongly signed", "down"]


def test_what_is_no_sources_fault_names_none() -> None:
    assert APT.troubles("E: Version '600-*' for 'driver' was not found\n") == []
    assert APT.troubles(f"Get:1 {AT} ./ InRelease [1140 B]\nReading package lists...\n") == []


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ("After this operation, 4096 kB of additional disk space will be used.", 4096e3),
        ("After this operation, 1,234 MB of additional disk space will be used.", 1234e6),
        ("After this operation, 0 B of additional disk space will be used.", 0.0),
        ("After this operation, 4096 kB disk space will be freed.", None),
        ("", None),
    ],
)
def test_room_is_asked_for_where_it_is_used(said: str, needed: float | None) -> None:
    assert APT.bytes_needed(said) == needed
