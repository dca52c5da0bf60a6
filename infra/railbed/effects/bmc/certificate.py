"""Certificates of servers that run only while machines are installed."""

from __future__ import annotations

from pathlib import Path

from railbed.run import run

DAYS = 30


def certify(folder: Path, address: str) -> tuple[Path, Path]:
    """Makes a certificate for ``address`` that signs itself; returns the files of it and of its key in ``folder``."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", str(DAYS), "-subj", "/CN=railbed", "-addext", f"subjectAltName=IP:{address}",
            "-keyout", key, "-out", certificate,
        ]
    )  # fmt: skip
    return certificate, key
