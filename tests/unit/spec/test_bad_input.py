"""Each thing that a spec may get wrong is one clear error: code, path, what is allowed, what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from railbed import spec
from railbed.errors import Exit, RailbedError, SpecError, Unsupported
from railbed.spec.system_accounts import SERVICE_LOGINS

WHERE = "Pulumi.x.yaml:railbed:cluster"
DATA = Path(__file__).parents[1] / "data" / "spec"
EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-cluster.yaml"
BAD: list[dict[str, Any]] = yaml.safe_load((DATA / "bad-values.yaml").read_text())


def good() -> dict[str, Any]:
    return spec.load(EXAMPLE).model_dump(mode="json", exclude_unset=True)


def put(data: Any, place: list[str | int], value: Any) -> None:
    """Sets the value at ``place``, making mappings on the way."""
    for key in place[:-1]:
        data = data.setdefault(key, {}) if isinstance(data, dict) else data[key]
    data[place[-1]] = value


@pytest.mark.parametrize("bad", BAD, ids=[bad["what"] for bad in BAD])
def test_one_clear_error(bad: dict[str, Any]) -> None:
    data = good()
    put(data, bad["at"], bad["value"])
    with pytest.raises((SpecError, Unsupported)) as refused:
        spec.from_config(data, WHERE)
    error = refused.value
    assert error.code == bad["code"]
    assert error.path == WHERE + bad["path"]
    assert error.message and error.hint
    assert bad["words"] in f"{error.allowed} {error.hint}"
    assert error.exit_status is Exit.USAGE
    assert "hunter2" not in json.dumps(error.as_json(), allow_nan=False)


def test_the_good_spec_is_taken_so_that_only_the_change_is_refused() -> None:
    assert spec.from_config(good(), WHERE).name == "lab"


@pytest.mark.parametrize("key", [k for k in good() if k not in ("filesystems", "access")])
def test_a_missing_key_is_named(key: str) -> None:
    data = good()
    del data[key]
    with pytest.raises(SpecError, match=f"the key '{key}' is missing") as refused:
        spec.from_config(data, WHERE)
    assert refused.value.path == f"{WHERE}.{key}"
    assert refused.value.hint == f"add `{key}:`"


def test_several_problems_are_counted_and_the_unknown_key_comes_first() -> None:
    data = good()
    data["name"] = 5
    data["pools"][0]["nods"] = data["pools"][0].pop("nodes")
    with pytest.raises(SpecError, match=r"unknown key 'nods' \(and 2 more problems\)"):
        spec.from_config(data, WHERE)


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_a_spec_is_a_mapping(body: Any) -> None:
    with pytest.raises(SpecError, match="not a mapping"):
        spec.from_config(body, WHERE)


@pytest.mark.parametrize(
    ("file", "words", "place"),
    [
        ("absent.yaml", "does not exist", "absent.yaml"),
        ("bomb.yaml", "anchors", "bomb.yaml:3"),
        ("tag.yaml", "tags", "tag.yaml:3"),
        ("duplicate-key.yaml", "'name' is there twice", "duplicate-key.yaml:6"),
        ("two-documents.yaml", "several YAML documents", "two-documents.yaml"),
        ("broken.yaml", "not YAML", "broken.yaml:4"),
        ("no-cluster.yaml", "no railbed:cluster", "no-cluster.yaml:config"),
        (".", "cannot be read", ""),
    ],
)
def test_a_bad_file_is_one_error(file: str, words: str, place: str) -> None:
    with pytest.raises(SpecError) as refused:
        spec.load(DATA / file)
    assert refused.value.code == "SPEC_FILE"
    assert words in refused.value.message
    assert refused.value.path.endswith(place)
    assert refused.value.hint
    assert refused.value.exit_status is Exit.USAGE


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"\x00\xff\xfe", "not text"), (b"", "mapping `config`"), (b"- a", "mapping `config`")],
)
def test_binary_and_empty_files_are_refused(tmp_path: Path, body: bytes, words: str) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_bytes(body)
    with pytest.raises(SpecError, match=words):
        spec.load(file)


def test_the_role_refuses_the_same_logins_and_takes_others() -> None:
    role = yaml.safe_load((EXAMPLE.parents[1] / "roles/users/vars/main.yml").read_text())
    assert role["users_reserved"] == sorted(SERVICE_LOGINS) == list(SERVICE_LOGINS)
    assert {"root", "railbed", "slurm", "munge", "mysql", "prometheus", "sshd", "nobody", "mfs"} <= {
        *SERVICE_LOGINS
    }
    data = good()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    data["access"]["admins"] = {"ada": key, "slurmy": key}
    assert set(spec.from_config(data, WHERE).access.admins) == {"ada", "slurmy"}


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
anything = st.recursive(
    leaves, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=8), s, max_size=3)
)
places = st.sampled_from([bad["at"] for bad in BAD] + [["pools", 0], ["access", "admins"], ["workloads"]])


@given(places, anything)
def test_any_value_anywhere_is_taken_or_refused_whole(place: list[str | int], value: Any) -> None:
    data = good()
    put(data, place, value)
    try:
        spec.from_config(data, WHERE)
    except RailbedError as error:
        assert error.code and error.path.startswith(WHERE) and error.hint
        json.dumps(error.as_json(), allow_nan=False)
