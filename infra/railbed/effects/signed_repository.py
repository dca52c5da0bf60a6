"""Signs a repository of packages with a key made for it alone; the private part does not outlive the signing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from railbed.effects import openpgp
from railbed.run import run


def sign(folder: Path, who: str, key: str) -> None:
    """Writes ``InRelease`` beside ``Release`` in ``folder``, and the armoured public key into the file ``key`` there.

    ``who``: name in the key. Raises HostError without gpg.
    """
    openpgp.require("gpg")
    # A GnuPG agent's socket path has at most 108 bytes, so its home cannot lie in a deep cache folder.
    with tempfile.TemporaryDirectory(prefix="railbed-gpg-") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet"]
        run([*gpg, "--passphrase", "", "--quick-gen-key", who, "ed25519", "sign", "never"])
        run([*gpg, "--yes", "--clearsign", "-o", folder / "InRelease", folder / "Release"])
        run([*gpg, "--armor", "-o", folder / key, "--export"])
        run(["gpgconf", "--homedir", home, "--kill", "all"])
