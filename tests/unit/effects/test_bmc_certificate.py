"""A BMC whose certificate ran out, as of one that nobody has renewed for years: told as such, and nothing is sent to it."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from railbed.effects.bmc import inventory
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import BmcError, Patience, Target, Trust

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old BMC")])
BRISK = Patience(connect_s=5, read_s=5, tries=2, first_pause_s=0.01, longest_pause_s=0.01)


@dataclass
class Old:
    url: str
    certificate: Path
    fingerprint: str
    asked: list[str]
    """Requests that came through, with what they brought of a login."""


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Old]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=800))
        .not_valid_after(now - datetime.timedelta(days=70))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '')}")
            self.send_error(401)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not like the certificate hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    yield Old(f"https://127.0.0.1:{server.server_address[1]}", certificate, digest, asked)
    server.shutdown()
    server.server_close()


def error(old: Old, trust: Trust) -> BmcError:
    bmc = Bmc(Target("h100-0", "SN0", old.url), Login("railbed", "secret"), trust, BRISK)
    with pytest.raises(BmcError) as caught:
        inventory.identify(bmc)
    return caught.value


def test_a_certificate_that_ran_out_is_told_and_no_password_is_sent(old: Old) -> None:
    told = error(old, Trust(old.certificate))
    assert told.code == "BMC_CERTIFICATE"
    assert "expired" in str(told.found)
    assert old.asked == []


def test_one_that_is_pinned_holds_however_old_it_is(old: Old) -> None:
    """The fingerprint is compared and nothing else: the BMC itself is reached, and refuses its user."""
    assert error(old, Trust(fingerprint=old.fingerprint)).code == "BMC_REFUSED"
    assert len(old.asked) == 1
