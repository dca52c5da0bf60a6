"""A team's state on the real engine: an object store and a key service (both emulated by moto, on loopback), two clones."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests
import yaml
from moto.server import ThreadedMotoServer

from railbed.effects.engine import backend, backups, state
from railbed.effects.engine.deployments import StateDamaged, StateLost
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
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)  # the emulator outlives its server
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
    body = backups.read(file, "prod")
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


def test_a_team_s_damaged_or_lost_state_comes_back_from_a_generation(
    tmp_path: Path, store: backend.Team
) -> None:
    work = clone(tmp_path / "a")
    session = Session(work, quiet)
    session.up()
    state.init(work, store, quiet)
    session = Session(work, quiet)
    kept = session.backup("up")
    assert kept is not None
    assert "the-operator-s-key" not in kept.read_text()
    assert session.up().total == 0
    assert session.backup("up") is None, "an up that changes nothing makes no generation"

    s3 = boto3.client("s3", region_name="us-east-1")
    place = {"Bucket": "acme-state", "Key": next(k for k in _keys(s3) if k.endswith("stacks/team/prod.json"))}
    whole = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=whole[: len(whole) // 2])
    with pytest.raises(StateDamaged) as damaged:
        session.up()
    assert kept.name in damaged.value.hint
    assert state.restore(work, backups.read(kept, "prod"), quiet) is None
    assert (
        s3.get_object(Bucket="acme-state", Key=f"{place['Key']}.bak")["Body"].read()
        == whole[: len(whole) // 2]
    )
    assert session.up().total == 0

    work.dir.mkdir(exist_ok=True)
    work.contract_file.write_text("{}")
    for key in (place["Key"], f"{place['Key']}.bak"):
        s3.delete_object(Bucket="acme-state", Key=key)
    with pytest.raises(StateLost):
        session.up()
    file = work.stack_file.read_text()
    state.restore(work, backups.read(kept, "prod"), quiet)
    assert work.stack_file.read_text() == file
    assert session.outputs()["secrets"] == {"operator": "the-operator-s-key"}
    assert session.up().total == 0


def test_a_damaged_state_of_a_checkout_is_named_kept_and_restored(tmp_path: Path) -> None:
    work = clone(tmp_path / "a")
    session = Session(work, quiet)
    session.up()
    first = session.backup("up")
    (work.root / "infra/more").touch()
    assert session.up().total == 1
    second = session.backup("destroy")
    assert first is not None
    assert second is not None
    assert "the-operator-s-key" not in second.read_text()
    file = next((work.local / "state/.pulumi/stacks").rglob("prod.json"))
    whole = file.read_bytes()
    command = "railbed state restore --stack prod .railbed/prod/archive/state/"
    for damaged in (whole[:700], b""):
        file.write_bytes(damaged)
        for act in (session.up, session.destroy, session.outputs):
            with pytest.raises(StateDamaged) as error:
                act()
            assert f"{command}{second.name}`" in error.value.hint
    kept = state.restore(work, backups.read(second, "prod"), quiet)
    assert kept is not None
    assert kept.read_bytes() == b""
    assert session.up().total == 0
    # A state that can be read, and that the engine does not use: its own backup is no way back.
    file.write_bytes(whole.replace(b'"parent":"urn:pulumi:prod', b'"parent":"urn:pulumi:none'))
    third = session.backup("up")
    assert third is not None
    with pytest.raises(StateDamaged) as error:
        session.up()
    assert f"{command}{second.name}`" in error.value.hint
    with pytest.raises(UsageError, match="does not take"):
        state.restore(work, backups.read(third, "prod"), quiet)
    file.write_bytes(whole)
    # Of another checkout, whose passphrase this one does not have: refused, and the present state stays.
    other = clone(tmp_path / "b")
    Session(other, quiet).up()
    foreign = Session(other, quiet).backup("up")
    assert foreign is not None
    with pytest.raises(UsageError, match="does not take") as refused:
        state.restore(work, backups.read(foreign, "prod"), quiet)
    assert refused.value.code == "STATE_BACKUP"
    assert file.read_bytes() == whole


def _keys(s3: object) -> list[str]:
    listed = s3.list_objects_v2(Bucket="acme-state")  # type: ignore[attr-defined]
    return [one["Key"] for one in listed.get("Contents", [])]
