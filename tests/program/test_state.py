"""A team's state on the real engine: an object store and a key service (both emulated by moto, on loopback), two clones."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from railbed.effects.engine import backend, state
from railbed.effects.engine.session import Session
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import pathlib, pulumi
pulumi.ComponentResource("railbed:test:Thing", "thing")
if pathlib.Path("more").exists():
    pulumi.ComponentResource("railbed:test:Thing", "more")
if pathlib.Path("slow").exists():
    import time; time.sleep(4)
pulumi.export("secrets", pulumi.Output.secret({"operator": "the-operator-s-key"}))
pulumi.export("contract", None)
"""
pytestmark = pytest.mark.engine


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[backend.Team]:
    """A bucket and a key; the engine finds them by the SDK's own environment variables."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="acme-state")
    kms = boto3.client("kms", region_name="us-east-1")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/railbed", TargetKeyId=key)
    yield backend.checked(
        f"s3://acme-state?region=us-east-1&endpoint={host}:{port}&disableSSL=true&s3ForcePathStyle=true",
        "awskms://alias/railbed?region=us-east-1",
    )
    server.stop()


def clone(folder: Path, source: Path | None = None) -> Workspace:
    """A checkout with a small program; ``source`` is another clone, whose committed files it gets."""
    (folder / "infra").mkdir(parents=True)
    (folder / "infra/__main__.py").write_text(PROGRAM)
    for name in (".venv", "tools"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        if source and (source / name).exists():
            shutil.copy(source / name, folder / name)
    if not source:
        project = {
            "name": "team",
            "main": "infra/",
            "runtime": {"name": "python", "options": {"virtualenv": ".venv"}},
        }
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    return Workspace(folder, "prod")


def quiet(_: str) -> None:
    return


def test_a_team_shares_state_keys_and_lock(tmp_path: Path, store: backend.Team) -> None:
    first = clone(tmp_path / "a")
    Session(first, quiet).up()
    assert state.init(first, store, quiet) == 1
    assert backend.team_backend(first.root) == store.backend

    # Nothing in the store tells the secret; the stack file names the key and holds no passphrase.
    s3 = boto3.client("s3", region_name="us-east-1")
    names = [one["Key"] for one in s3.list_objects_v2(Bucket="acme-state")["Contents"]]
    texts = [s3.get_object(Bucket="acme-state", Key=name)["Body"].read().decode() for name in names]
    assert any("railbed:test:Thing" in text for text in texts)
    assert not any("the-operator-s-key" in text for text in texts)
    assert "awskms://" in first.stack_file.read_text()

    second = clone(tmp_path / "b", first.root)
    session = Session(second, quiet)
    assert session.outputs()["secrets"] == {"operator": "the-operator-s-key"}
    assert session.up().total == 0

    # Two operators at once: the second is refused by name, and nothing of his is made.
    (first.root / "infra/slow").touch()
    done: list[object] = []
    busy = threading.Thread(target=lambda: done.append(Session(first, quiet).up()))
    busy.start()
    while not any("/locks/" in name for name in _keys(s3)):
        assert busy.is_alive()
    with pytest.raises(UsageError) as refused:
        session.up()
    busy.join()
    assert refused.value.code == "BUSY"
    assert len(done) == 1

    # A backup, a change, and back.
    file = tmp_path / "backup.json"
    assert state.backup(second, file, quiet) == 1
    assert file.stat().st_mode & 0o077 == 0
    assert "the-operator-s-key" not in file.read_text()
    (second.root / "infra/more").touch()
    assert session.up().total == 1
    body = state.read_backup(file, "prod")
    assert [urn.rsplit("::", 1)[-1] for urn in state.difference(second, body, quiet)["forgotten"]] == ["more"]
    state.restore(second, body, quiet)
    assert state.difference(second, body, quiet) == {"forgotten": [], "known_again": []}

    # Another checkout with resources of its own under that name is another cluster.
    (first.root / "infra/slow").unlink()
    other = clone(tmp_path / "c")
    Session(other, quiet).up()
    with pytest.raises(UsageError) as same_name:
        state.init(other, store, quiet)
    assert same_name.value.code == "STATE_EXISTS"
    assert backend.team_backend(other.root) == ""


def _keys(s3: object) -> list[str]:
    listed = s3.list_objects_v2(Bucket="acme-state")  # type: ignore[attr-defined]
    return [one["Key"] for one in listed.get("Contents", [])]
