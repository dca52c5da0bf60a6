"""What the services of a site must satisfy beyond their types."""

from __future__ import annotations

import re
import ssl

from railbed import catalog
from railbed.errors import SpecError
from railbed.software import compat
from railbed.spec import alert_checks, controllers
from railbed.spec.cluster import ClusterSpec
from railbed.spec.problems import key_path
from railbed.spec.site import Directory, Homes, Proxy

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)
LOCAL_HOMES = "/home"
"""Where each host has the homes of its admins."""


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that ``spec.site`` deserves."""
    site = key_path(where, ["site"])
    if spec.site.proxy is not None:
        _proxy(spec.site.proxy, f"{site}.proxy")
    if spec.site.directory is not None:
        _directory(spec.site.directory, f"{site}.directory")
    if spec.site.homes is not None:
        _homes(spec, spec.site.homes, f"{site}.homes")
    if spec.site.alerts is not None:
        alert_checks.check(spec.site.alerts, f"{site}.alerts", controllers.count(spec), _system(spec))


def _system(spec: ClusterSpec) -> str:
    """Of the controllers, which have that of the first pool's machine."""
    release = catalog.load_release(spec.software.release)
    return spec.software.os or compat.system_of(release, catalog.load_machine(spec.pools[0].machine))


def certificates(text: str) -> list[str]:
    """Each certificate of a PEM text as OpenSSL writes it. Raises ValueError where one is none or no authority's."""
    found = CERTIFICATE.findall(text)
    if not found or CERTIFICATE.sub("", text).strip():
        raise ValueError("it is not one or more blocks BEGIN CERTIFICATE … END CERTIFICATE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, one in enumerate(found, 1):
        try:
            made = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(one))
            context.load_verify_locations(cadata=made)
        except (ssl.SSLError, ValueError):
            raise ValueError(f"block {number} is not a certificate") from None
    if context.cert_store_stats()["x509_ca"] != context.cert_store_stats()["x509"]:
        raise ValueError("one of its certificates is not an authority's (CA:TRUE): it signs nothing")
    return [ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(one)) for one in found]


def _proxy(proxy: Proxy, where: str) -> None:
    named = sorted({one for one in (proxy.http, proxy.https) if one})
    if not named:
        raise SpecError(
            "a proxy without an address", path=where, allowed="http, https or both, as http://HOST:PORT",
            hint="write https: http://HOST:PORT, or remove `proxy`", code="SPEC_PROXY",
        )  # fmt: skip
    if proxy.authenticated and len(named) > 1:
        raise SpecError(
            "there is one login, and two proxies would be given it", path=where, found=named,
            allowed="one proxy for both, where it asks for a login",
            hint="name the same one for http and https", code="SPEC_PROXY",
        )  # fmt: skip


def _directory(directory: Directory, where: str) -> None:
    schemes = {uri.split("://")[0] for uri in directory.uris}
    if schemes != {"ldap" if directory.start_tls else "ldaps"}:
        clear = sorted(uri for uri in directory.uris if uri.startswith("ldap://"))
        raise SpecError(
            "the directory would be asked in the clear"
            if clear and not directory.start_tls
            else "servers that start with TLS cannot turn to it once more",
            path=f"{where}.uris",
            found=clear or directory.uris,
            allowed="ldaps://… for all servers, or ldap://… for all with start_tls: true",
            hint="write ldaps://, or start_tls: true where the servers know StartTLS (RFC 4511, 4.14)",
            code="SPEC_CLEARTEXT",
        )
    try:
        certificates(directory.ca)
    except ValueError as wrong:
        raise SpecError(
            f"that is no authority's certificate: {wrong}",
            path=f"{where}.ca",
            allowed="certificates in PEM, as `openssl x509 -in FILE` prints them",
            hint="put the certificate of the authority there, not the server's and never a key",
            code="SPEC_CERTIFICATE",
        ) from None
    if directory.ids == "sid" and directory.kind != "ad":
        raise SpecError(
            f"entries of kind {directory.kind} have no SID to compute ids from",
            path=f"{where}.ids",
            found=directory.ids,
            allowed="posix, or kind: ad",
            hint="write ids: posix, or kind: ad where the directory is Active Directory",
        )


def _homes(spec: ClusterSpec, homes: Homes, where: str) -> None:
    named = {one.name: one for one in spec.filesystems}
    if homes.filesystem not in named:
        raise SpecError(
            "homes are on a filesystem that the spec does not have",
            path=f"{where}.filesystem",
            found=homes.filesystem,
            allowed=sorted(named) or "a filesystem of the spec, and it has none",
            hint="name one of `filesystems`, or add it there",
            code="SPEC_FILESYSTEM",
        )
    if spec.site.directory is None:
        raise SpecError(
            "homes without people: admins have theirs on each host, so that they get in while a filesystem is away",
            path=where,
            allowed="with `site.directory` only",
            hint="add `site.directory`, or remove `site.homes`",
        )
    parts = homes.path.split("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", homes.path) or {".", ".."} & set(parts):
        raise SpecError(
            "the homes' path leads out of the filesystem's mount",
            path=f"{where}.path",
            found=homes.path,
            allowed=f"a folder below {named[homes.filesystem].mount}, of plain names, without / in front",
            hint="write it as seen from the mount, e.g. home",
            code="SPEC_PATH",
        )
    path = f"{named[homes.filesystem].mount}/{homes.path}"
    if f"{path}/".startswith(f"{LOCAL_HOMES}/"):
        raise SpecError(
            f"the filesystem would hide the admins' own homes in {LOCAL_HOMES}",
            path=f"{where}.filesystem",
            found=path,
            allowed=f"a folder outside {LOCAL_HOMES}",
            hint="mount that filesystem elsewhere, e.g. /shared: an admin's home must be there while it is away",
            code="SPEC_PATH",
        )
