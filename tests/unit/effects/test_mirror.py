"""A mirror of files and signed packages over a loopback server: good, missing, wrong hash, wrong key, cut off."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.download import FetchError
from railbed.effects.mirror import Fetched, mirror
from railbed.effects.mirror.debian import Index, stanzas, whole
from railbed.software.artefacts import Artefact


class Site:
    """Files by path; of those in ``cut`` only half is sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> bytes | None:
                site.asked.append(self.path)
                body = site.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return None
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return body

            def do_GET(self) -> None:
                body = self.do_HEAD()
                if body is not None:
                    self.wfile.write(body[: len(body) // 2] if self.path in site.cut else body)

            def log_message(self, *_: object) -> None:
                """Nothing on the test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


class Signer:
    """A throwaway key."""

    def __init__(self, home: Path) -> None:
        self.gpg = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]
        home.mkdir(mode=0o700)
        self.home = home
        self._run("--quick-gen-key", "test <test@example.invalid>", "ed25519", "sign", "never")
        shown = self._run("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:"))
        self.public = self._run("--armor", "--export")

    def _run(self, *words: str, data: bytes = b"") -> bytes:
        return subprocess.run(
            [*self.gpg, *words], input=data, capture_output=True, check=True, timeout=30
        ).stdout

    def detached(self, data: bytes) -> bytes:
        return self._run("--detach-sign", data=data)

    def inline(self, data: bytes) -> bytes:
        return self._run("--clearsign", data=data)

    def end(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=True, timeout=30)


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, Signer]]:
    # A GnuPG agent's socket path has at most 108 bytes.
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rbg-") as short:
        made = Signer(Path(short) / "a"), Signer(Path(short) / "b")
        yield made
        for one in made:
            one.end()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stanza(name: str, version: str, body: bytes, needs: str = "") -> str:
    depends = f"Depends: {needs}\n" if needs else ""
    return f"Package: {name}\nVersion: {version}\n{depends}Filename: ./{name}_{version}.deb\nSHA256: {sha256(body)}\n"


def publish(site: Site, signer: Signer) -> Artefact:
    """A repository with a driver that needs a library of its own version, and the libc that is the distribution's."""
    packages = {
        ("driver", "2.0-1"): "library (= 2.0-1), libc6 (>= 2.36), tool | other",
        ("library", "1.0-1"): "", ("library", "2.0-1"): "driver", ("tool", "1:0.9"): "", ("tool", "10.0~rc1"): "",
    }  # fmt: skip
    text = ""
    for (name, version), needs in packages.items():
        body = f"{name} {version}".encode()
        site.files[f"/apt/{name}_{version}.deb"] = body
        text += stanza(name, version, body, needs) + "\n"
    packed = gzip.compress(text.encode())
    site.files["/apt/Packages.gz"] = packed
    release = f"Suite: test\nMD5Sum:\n {'0' * 32} 1 Packages.gz\nSHA256:\n {sha256(packed)} {len(packed)} Packages.gz\n"
    site.files["/apt/InRelease"] = signer.inline(release.encode())
    site.files["/key.asc"] = signer.public
    return Artefact(
        component="nvidia_driver", version="2.0", kind="package", url=f"{site.url}/apt/", package="driver=2.0-1",
        fingerprint=signer.fingerprint, key_url=f"{site.url}/key.asc",
    )  # fmt: skip


def file(site: Site, name: str, body: bytes, **more: str) -> Artefact:
    site.files[f"/{name}"] = body
    return Artefact(component=name, version="1", kind="file", url=f"{site.url}/{name}", **more)


def fetch(target: Path, *wanted: Artefact) -> list[Fetched]:
    return mirror("2026.99", list(wanted), target, lambda _: None)


def left(target: Path) -> set[str]:
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()} - {"manifest.json"}


def test_files_and_packages_with_what_they_need(
    site: Site, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    signer, _ = signers
    signed = file(site, "b.tar", b"b" * 9, signature=f"{site.url}/b.sig", fingerprint=signer.fingerprint,
                  key_url=f"{site.url}/key.asc")  # fmt: skip
    site.files["/b.sig"] = signer.detached(b"b" * 9)
    refused = Artefact(component="c", version="1", kind="refused", url=f"{site.url}/c", note="no hash")
    wanted = [publish(site, signer), file(site, "a.tar", b"a" * 9, sha256=sha256(b"a" * 9)), signed, refused]
    done = fetch(tmp_path / "m", *wanted)
    assert [one.error for one in done] == [None] * 4
    assert len(done[0].files) == 3 and done[3].files == {}
    assert "/c" not in site.asked
    for path, digest in (pair for one in done for pair in one.files.items()):
        assert sha256((tmp_path / "m" / path).read_bytes()) == digest
    (folder,) = (tmp_path / "m" / "apt").iterdir()
    index = Index("", (folder / "Packages").read_text())
    assert {(s["Package"], s["Version"]) for ss in index.packages.values() for s in ss} == {
        ("driver", "2.0-1"), ("library", "2.0-1"), ("tool", "1:0.9"),
    }  # fmt: skip
    assert all((folder / s["Filename"]).is_file() for ss in index.packages.values() for s in ss)
    own = (folder / "Release").read_text()
    assert sha256((folder / "Packages").read_bytes()) in own
    assert re.search(r"^Date: \w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT$", own, re.MULTILINE)
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert (manifest["schema"], manifest["release"], len(manifest["artefacts"])) == (
        "railbed/mirror/v1",
        "2026.99",
        4,
    )
    before = left(tmp_path / "m")
    site.asked.clear()
    fetch(tmp_path / "m", *wanted)
    assert left(tmp_path / "m") == before
    assert not [path for path in site.asked if path.endswith(".deb") or path == "/a.tar"]


@pytest.mark.parametrize("trouble", ["missing", "hash", "cut", "key", "signature", "unsigned"])
def test_a_bad_file_leaves_nothing_and_stops_no_other(
    trouble: str, site: Site, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    signer, other = signers
    body = b"x" * 4096
    site.files["/key.asc"] = other.public if trouble == "key" else signer.public
    more = {"sha256": sha256(b"else" if trouble == "hash" else body)}
    if trouble in ("key", "signature", "unsigned"):
        more = {
            "signature": f"{site.url}/x.sig",
            "fingerprint": signer.fingerprint,
            "key_url": f"{site.url}/key.asc",
        }
        if trouble != "unsigned":
            site.files["/x.sig"] = (other if trouble == "signature" else signer).detached(body)
    bad = file(site, "x", body, **more)
    if trouble == "missing":
        del site.files["/x"]
    if trouble == "cut":
        site.cut.add("/x")
    good = file(site, "good", b"good", sha256=sha256(b"good"))
    done = fetch(tmp_path / "m", bad, good)
    code = "PACKAGE_KEY" if trouble == "key" else "FETCH"
    assert done[0].error is not None and done[0].error.code == code
    assert done[0].error.path and done[0].error.hint
    assert done[1].error is None
    assert left(tmp_path / "m") == {"files/good/good"}
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert manifest["artefacts"][0]["error"]["code"] == code


@pytest.mark.parametrize(
    "trouble",
    [
        "version",
        "index signature",
        "index key",
        "no hashes",
        "index hash",
        "index cut",
        "package hash",
        "package missing",
    ],
)
def test_a_bad_repository_leaves_no_package(
    trouble: str, site: Site, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    signer, other = signers
    one = publish(site, signer)
    if trouble == "version":
        one = one.model_copy(update={"package": "driver=3.0-1"})
    elif trouble == "index signature":
        site.files["/apt/InRelease"] = other.inline(b"SHA256:\n")
    elif trouble == "no hashes":
        site.files["/apt/InRelease"] = signer.inline(b"SHA256: Packages.gz\n")
    elif trouble == "index key":
        site.files["/key.asc"] = other.public
    elif trouble == "index hash":
        site.files["/apt/Packages.gz"] = gzip.compress(b"")
    elif trouble == "index cut":
        site.cut.add("/apt/Packages.gz")
    elif trouble == "package hash":
        site.files["/apt/driver_2.0-1.deb"] = b"something else"
    else:
        del site.files["/apt/driver_2.0-1.deb"]
    (done,) = fetch(tmp_path / "m", one)
    assert done.error is not None
    assert done.error.code == ("PACKAGE_KEY" if trouble == "index key" else "FETCH")
    assert left(tmp_path / "m") == set()
    assert not list((tmp_path / "m").glob(".fetching-*"))


def test_a_package_that_fails_after_another_keeps_what_is_good_and_the_next_run_ends_it(
    site: Site, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    one = publish(site, signers[0])
    body = site.files.pop("/apt/library_2.0-1.deb")
    (done,) = fetch(tmp_path / "m", one)
    assert done.error is not None
    assert {Path(path).name for path in left(tmp_path / "m") if path.endswith(".deb")} == {"driver_2.0-1.deb"}
    site.files["/apt/library_2.0-1.deb"] = body
    (done,) = fetch(tmp_path / "m", one)
    assert done.error is None and len(done.files) == 3


def index(*packages: tuple[str, str, str]) -> Index:
    return Index("", "\n".join(stanza(name, version, b"", needs) for name, version, needs in packages))


@pytest.mark.parametrize(
    ("needs", "taken"),
    [
        ("b", "1:0.1"),
        ("b (<= 1.10-1)", "1.10-1"),
        ("b (<< 1.10-1)", "1.2-1"),
        ("b (>> 1.0~rc1), b (<< 1.0a)", "1:0.1"),
        ("b:any (= 1.0~rc1)", "1.0~rc1"),
        ("none | b (<< 1.0)", "1.0~rc1"),
        ("b (>= 2:0)", None),
        ("b (!! 1)", None),
        ("b (= 1-)", None),
        ("%§ | ,", None),
    ],
)
def test_of_several_versions_the_newest_that_fits_is_taken(needs: str, taken: str | None) -> None:
    versions = ("1.0~rc1", "1.10-1", "1:0.1", "1.2-1", "1.0", "not: one")
    here = index(("a", "3", needs), *(("b", version, "") for version in versions))
    _, *others = here.with_needs(here.exactly("a", "3"))
    assert [one["Version"] for one in others] == ([taken] if taken else [])


def test_a_version_that_is_none_is_not_in_the_index() -> None:
    here = index(("a", "one two", ""), ("a", "1", ""))
    assert [one["Version"] for one in here.packages["a"]] == ["1"]
    with pytest.raises(FetchError, match="no a one two") as refused:
        here.exactly("a", "one two")
    assert refused.value.found == ["1"]


LINES = st.sampled_from(
    [
        "Package: a", "Version: 1", "Filename: b", "SHA256: 0", "Depends: ", " x", ":", "", "#", "\r", "\x0c", "\x1e0",
        " \u20281", "-----BEGIN PGP SIGNED MESSAGE-----",
    ]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=20)))
def test_any_text_is_an_index(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert all(whole(one) for ones in Index("", text).packages.values() for one in ones)
    written = "\n".join(one.dump() for one in stanzas(text))
    assert "\n".join(one.dump() for one in stanzas(written)) == written, "it is read as it was written"
