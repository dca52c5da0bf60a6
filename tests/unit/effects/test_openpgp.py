"""A pinned key comes out as GnuPG writes it, or not at all. Keys are made by gpg for each run of the tests."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from railbed import plan, spec
from railbed.effects import openpgp
from railbed.effects.openpgp import KeyRefused, pinned
from railbed.errors import HostError
from railbed.platforms import repositories

KEY = (Path(__file__).parents[1] / "data/openpgp/mirror.asc").read_text()
FINGERPRINT = "580CBAC7DFB05A91941864000995C39870050A04"


HEAD, TAIL = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"


def body(key: str) -> str:
    """The base64 of a block, without the checksum."""
    lines = key.split("\n\n", 1)[1].splitlines()
    return "".join(f"{line}\n" for line in lines if line and line[0] not in "=-")


class Gpg:
    """A home of GnuPG."""

    def __init__(self, home: str) -> None:
        self.home = home

    def __call__(self, *words: str, data: bytes = b"") -> bytes:
        argv = ["gpg", "--homedir", self.home, "--batch", "--quiet", "--passphrase", "", *words]
        return subprocess.run(argv, input=data, capture_output=True, check=True, timeout=60).stdout

    def key(self, name: str, expires: str = "never") -> str:
        """The fingerprint of a new key."""
        self("--quick-gen-key", f"{name} <{name}@example.invalid>", "ed25519", "sign", expires)
        return self.fingerprints(name)[0]

    def armoured(self, data: bytes) -> str:
        """Any bytes as a public key's block, checksum included."""
        return self("--enarmor", data=data).decode().replace("ARMORED FILE", "PUBLIC KEY BLOCK")

    def fingerprints(self, name: str) -> list[str]:
        shown = self("--with-colons", "--list-keys", name).decode()
        return [line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:")]


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    with tempfile.TemporaryDirectory(prefix="railbed-gpg-") as home:
        yield Gpg(home)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True, timeout=30)


def test_only_what_gnupg_read_of_the_key_comes_out(gpg: Gpg, tmp_path: Path) -> None:
    fingerprint = gpg.key("plain")
    gpg("--quick-add-key", fingerprint, "ed25519", "sign")
    written = gpg("--armor", "--export", fingerprint).decode()
    with_header = written.replace("\n\n", "\nComment: of somebody else\n\n", 1).replace("\n", "\r\n")
    made = pinned(with_header, fingerprint, "x")
    assert "Comment" not in made and "\r" not in made
    assert pinned(made, fingerprint, "x") == made, "it comes out the same again"
    (tmp_path / "file").write_text("text")
    openpgp.write_keyring(made, tmp_path / "ring.gpg")
    gpg("--local-user", fingerprint, "--detach-sign", str(tmp_path / "file"))
    argv = ["gpgv", "--keyring", tmp_path / "ring.gpg", tmp_path / "file.sig", tmp_path / "file"]
    assert subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0


def test_another_key_a_subkey_and_two_keys_are_refused(gpg: Gpg) -> None:
    one, other = gpg.key("one"), gpg.key("other")
    gpg("--quick-add-key", one, "ed25519", "sign")
    for wrong, keys in (
        (other, [one]),
        (gpg.fingerprints(one)[1], [one]),
        (one, [one, other]),
        (one, [other, one]),
    ):
        data = b"".join(gpg("--export", key) for key in keys)
        with pytest.raises(KeyRefused, match="not the one") as refused:
            pinned(gpg.armoured(data), wrong, "here")
        assert refused.value.path == "here" and refused.value.allowed == wrong
        assert (refused.value.code, int(refused.value.exit_status)) == ("PACKAGE_KEY", 2)


def test_a_secret_key_under_a_public_name_is_refused(gpg: Gpg) -> None:
    fingerprint = gpg.key("secret")
    data = gpg("--pinentry-mode", "loopback", "--export-secret-keys", fingerprint)
    with pytest.raises(KeyRefused):
        pinned(gpg.armoured(data), fingerprint, "x")


@pytest.mark.parametrize("data", [b"plain", b"\xd1\x01a", b"\xc6\x01\x03", b"\x99\x01\x0d\x04"])
def test_what_is_no_key_is_refused(gpg: Gpg, data: bytes) -> None:
    with pytest.raises(KeyRefused, match="not the one"):
        pinned(gpg.armoured(data), FINGERPRINT, "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519 AAAA",
        KEY + KEY,
        KEY[: len(KEY) // 2],
        KEY.replace("mQ", "m*"),
        KEY.replace("mQ", "mR"),
        KEY.replace("BLOCK-----\n\n", "BLOCK-----\n"),
        "".join(f"  {line}\n" for line in KEY.splitlines()),
    ],
)
def test_a_broken_block_and_two_are_refused(text: str) -> None:
    with pytest.raises(KeyRefused, match="not the one"):
        pinned(text, FINGERPRINT, "x")


@pytest.fixture(scope="module")
def smuggled(gpg: Gpg) -> str:
    """A key that nobody pinned, armoured."""
    return gpg("--armor", "--export", gpg.key("smuggled")).decode()


PIECES = st.sampled_from(
    [
        "good", "other", "good lines", "other lines", "words\n", "\n", "Comment: x\n", "=AAAA\n",
        f"{HEAD}\n", f"{HEAD}\n\n", f"{TAIL}\n",
    ]
)  # fmt: skip
LABELS = st.sampled_from(["PUBLIC KEY BLOCK", "MESSAGE", "SIGNATURE", "PRIVATE KEY BLOCK", "ARMORED FILE"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PIECES, LABELS), max_size=3), st.lists(st.tuples(PIECES, LABELS), max_size=3))
def test_whatever_stands_around_it_the_pinned_key_comes_out_alone_or_nothing(
    smuggled: str, front: list[tuple[str, str]], behind: list[tuple[str, str]]
) -> None:
    keys = {"good": KEY, "other": smuggled}

    def text(piece: str, label: str) -> str:
        name, _, lines = piece.partition(" ")
        if name not in keys:
            return piece
        return body(keys[name]) if lines else keys[name].replace("PUBLIC KEY BLOCK", label)

    whole = "".join(text(*piece) for piece in front) + KEY + "".join(text(*piece) for piece in behind)
    try:
        assert pinned(whole, FINGERPRINT, "x") == KEY
    except KeyRefused as refused:
        assert refused.found


def test_a_key_that_gnupg_does_not_take_is_refused(gpg: Gpg) -> None:
    """Its fingerprint is right; the key has not signed the name in it, or there is no name."""
    data = base64.b64decode(body(KEY))
    with pytest.raises(KeyRefused, match="not the one"):
        pinned(gpg.armoured(data[:-1] + bytes([data[-1] ^ 1])), FINGERPRINT, "x")
    assert data[0] == 0x99, "an old packet with two octets of length"
    with pytest.raises(KeyRefused, match="not the one"):
        pinned(gpg.armoured(data[: 3 + int.from_bytes(data[1:3])]), FINGERPRINT, "x")


def planned(**mirror: str) -> plan.ClusterPlan:
    wanted = {"url": "https://mirror.example.org/", "key": KEY, "fingerprint": FINGERPRINT, **mirror}
    data = spec.load(Path(__file__).parents[3] / "examples/metal-metal.yaml").model_dump(
        mode="json", by_alias=True
    )
    data["software"]["mirror"] = wanted
    return plan.plan(spec.from_config(data, "x"))


def test_the_mirror_s_key_is_checked_before_anything_is_made(tmp_path: Path) -> None:
    with_header = KEY.replace("\n\n", "\nComment: of somebody else\n\n", 1)
    first, *vendors = repositories.of(planned(key=with_header), tmp_path, print)
    assert vendors and all(one.signed_by == pinned(KEY, FINGERPRINT, "x") for one in vendors)
    assert first.signed_by.startswith("/usr/share/keyrings/")
    with pytest.raises(KeyRefused) as refused:
        repositories.of(planned(fingerprint="0" * 40), tmp_path, print)
    assert refused.value.found == [FINGERPRINT] and "software.mirror" in refused.value.path


def test_without_gpg_the_spec_is_read_and_nothing_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = planned(url="https://elsewhere.example.org/")
    openpgp.pinned.cache_clear()
    with pytest.raises(HostError, match="gpg is not installed") as lacking:
        repositories.of(wanted, tmp_path, print)
    assert "gnupg" in lacking.value.hint
