"""Reaching a Kubernetes API: what a context must have, and what is said where it cannot be used. Over a stand-in of the API."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import kube_api, kube_objects

from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.api import ApiError
from railbed.errors import CommandError, HostError, UsageError

Site = tuple[kube_api.Cluster, Path]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with kube_api.serving(tmp_path) as made:
        yield made


def opened(kubeconfig: Path, context: str = kube_api.CONTEXT) -> apis.Api:
    return apis.opened(str(kubeconfig), context)


def test_a_list_is_read_page_by_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, kubeconfig = site
    monkeypatch.setattr(apis, "KUBERNETES_PAGE", 2)
    cluster.add(*(kube_objects.node(f"n{index}") for index in range(5)))
    found = [one["metadata"]["name"] for one in opened(kubeconfig).items("/api/v1/nodes")]
    assert found == [f"n{index}" for index in range(5)]


def test_version_and_identity_of_the_cluster(site: Site) -> None:
    cluster, kubeconfig = site
    cluster.version = ("1", "34+")
    api = opened(kubeconfig)
    assert apis.version(api) == (1, 34)
    assert apis.cluster_id(api) == kube_objects.CLUSTER_ID
    assert api.get("/api/v1/nodes/none") is None


def test_the_context_is_named_and_never_the_current_one(site: Site) -> None:
    _, kubeconfig = site
    with pytest.raises(UsageError, match="no such context") as refused:
        opened(kubeconfig, "other")
    assert refused.value.allowed == ["site", "somebody-elses"] and refused.value.code == "KUBECONFIG"


@pytest.mark.parametrize("content", ["", "a: [", "[]", "apiVersion: v1\nkind: Config\n", None])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError) as refused:
        opened(file)
    assert refused.value.code == "KUBECONFIG" and str(file) in refused.value.path


@pytest.mark.parametrize(
    ("cluster", "server"), [({"insecure-skip-tls-verify": True}, ""), ({}, "http://127.0.0.1:1")]
)
def test_a_context_without_tls_checks_is_refused(site: Site, cluster: dict[str, Any], server: str) -> None:
    _, kubeconfig = site
    real = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    made = {**real, **cluster}
    if cluster:
        del made["certificate-authority"]
    kube_api.kubeconfig(
        kubeconfig,
        server or made.pop("server"),
        Path("/nowhere"),
        **{k: v for k, v in made.items() if k != "server"},
    )
    text = yaml.safe_load(kubeconfig.read_text())
    if cluster or server:
        text["clusters"][0]["cluster"].pop("certificate-authority", None)
    kubeconfig.write_text(yaml.safe_dump(text))
    with pytest.raises(UsageError, match="does not verify") as refused:
        opened(kubeconfig)
    assert "insecure-skip-tls-verify" in refused.value.allowed


def test_a_server_with_another_authority_is_not_believed(site: Site, tmp_path: Path) -> None:
    _, kubeconfig = site
    other = tmp_path / "other"
    other.mkdir()
    ca, _ = kube_api.certificate(other)
    text = yaml.safe_load(kubeconfig.read_text())
    text["clusters"][0]["cluster"]["certificate-authority"] = str(ca)
    kubeconfig.write_text(yaml.safe_dump(text))
    with pytest.raises(CommandError, match="cannot be reached") as refused:
        apis.version(opened(kubeconfig))
    assert refused.value.code == "API_UNREACHABLE" and "certificate" in refused.value.message.lower()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    ca, _ = kube_api.certificate(tmp_path)
    file = kube_api.kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:9", ca)
    with pytest.raises(CommandError, match="cannot be reached") as silent:
        apis.version(opened(file))
    assert silent.value.code == "API_UNREACHABLE" and "https://127.0.0.1:9" in silent.value.message


def test_a_wrong_token_and_a_lacking_right_are_told_apart_from_the_rest(site: Site) -> None:
    cluster, kubeconfig = site
    cluster.denied = {"nodes"}
    with pytest.raises(ApiError) as lacking:
        list(opened(kubeconfig).items("/api/v1/nodes"))
    assert (lacking.value.code, lacking.value.status) == ("API_DENIED", 403)
    text = yaml.safe_load(kubeconfig.read_text())
    text["users"][0]["user"]["token"] = "another"
    kubeconfig.write_text(yaml.safe_dump(text))
    with pytest.raises(ApiError) as strange:
        apis.version(opened(kubeconfig))
    assert (strange.value.code, strange.value.status) == ("API_DENIED", 401)
    assert "another" not in strange.value.as_text(), "no error shows a token"


def test_the_file_is_only_read(site: Site) -> None:
    _, kubeconfig = site
    before = kubeconfig.read_bytes()
    copy = kubeconfig.with_name("copy")
    shutil.copy(kubeconfig, copy)
    apis.version(opened(copy))
    assert copy.read_bytes() == before


def test_a_file_without_a_current_context(site: Site) -> None:
    _, kubeconfig = site
    text = yaml.safe_load(kubeconfig.read_text())
    del text["current-context"]
    kubeconfig.write_text(yaml.safe_dump(text))
    assert apis.version(opened(kubeconfig)) == (1, 37), "the one that is named is enough"
    with pytest.raises(UsageError, match="no such context"):
        opened(kubeconfig, "other")


def test_a_machine_without_the_client(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(HostError) as lacking:
        opened(site[1])
    assert lacking.value.code == "DOCTOR" and "--extra kubernetes" in lacking.value.hint
