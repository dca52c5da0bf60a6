"""A connection to one BMC: pinned TLS, bounded waits, repeats as real BMCs need them, and errors in plain words.

Every action first reads the system's serial number again and is not taken where it is another's.
"""

from __future__ import annotations

import functools
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import sushy
from sushy import auth, connector, exceptions
from urllib3.util.ssl_ import create_urllib3_context

from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import BmcError, IdentityError, Patience, Target, Trust, fingerprint
from railbed.errors import UsageError

T = TypeVar("T")
ROOT = "/redfish/v1/"
SYSTEMS = "/redfish/v1/Systems/"
REPEATED = (412, 429)
"""Precondition Failed (the resource changed since its ETag was read) and Too Many Requests; besides 5xx."""
NEVER = (501, 505)
"""501 and 505 stay what they are, however often one asks."""
logging.getLogger("sushy").addHandler(logging.NullHandler())


class _Pinned(requests.adapters.HTTPAdapter):
    """Accepts one certificate only, whoever signed it."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._digest)


class _Signed(requests.adapters.HTTPAdapter):
    """Accepts what one of the authorities in a file has signed.

    sushy begins a connection for each request, and requests reads the file for each connection: the system's own, of some 130
    certificates, takes longer than all the rest of a request. Here it is read once for all BMCs.
    """

    def __init__(self, authorities: Path) -> None:
        self._context = _authorities(authorities, authorities.stat().st_mtime_ns)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """requests passes what it would read for this connection; the context has it already."""
        del verify
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """As above, for a connection that is there."""
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"


@functools.cache
def _authorities(file: Path, _written_ns: int) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.load_verify_locations(file)
    return context


class _Connector(connector.Connector):  # type: ignore[misc]
    """sushy's, without its own repeats (they know no 429 and no POST) and without the environment's proxies."""

    def __init__(self, url: str, trust: Trust, patience: Patience) -> None:
        self.retry_after_s = 0.0
        super().__init__(
            url, verify=True, response_callback=self._note, server_side_retries=1,
            default_request_timeout=patience.read_s, connect_timeout=patience.connect_s,
        )  # fmt: skip
        self._session.trust_env = False
        if trust.fingerprint:
            self._verify = False
            self._session.mount("https://", _Pinned(fingerprint(trust.fingerprint)))
            return
        file = trust.ca_file or Path(requests.utils.DEFAULT_CA_BUNDLE_PATH)
        try:
            self._session.mount("https://", _Signed(file))
        except OSError as unread:
            raise UsageError(
                "the certificates of the BMCs' authority cannot be read", path=str(file), found=unread.strerror or str(unread),
                allowed="a file of certificates in PEM", hint="correct platform.ca_file",
            ) from None  # fmt: skip

    def _op(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("server_side_retries_left", 0)
        return super()._op(*args, **kwargs)

    def _note(self, response: requests.Response) -> None:
        asked = response.headers.get("Retry-After", "")
        self.retry_after_s = float(asked) if asked.isdigit() else 0.0


class Bmc:
    """One machine behind its BMC."""

    def __init__(
        self, target: Target, login: Login, trust: Trust | None = None, patience: Patience | None = None
    ) -> None:
        address = urlsplit(target.bmc)
        if address.scheme != "https" or not address.hostname or address.username:
            raise UsageError(
                f"the BMC of {target.name} is not reached over HTTPS", path=target.bmc.rsplit("@", 1)[-1],
                allowed="https://…, without a user in it",
            )  # fmt: skip
        self.target = target
        self.patience = patience or Patience()
        self._base = f"https://{address.netloc}"
        self._path = address.path.rstrip("/") if address.path.startswith(SYSTEMS) else ""
        self._login = login
        self._connector = _Connector(self._base, trust or Trust(), self.patience)
        self._root: Any = None
        self._hidden: set[str] = {login.password}

    @property
    def address(self) -> str:
        """``https://HOST[:PORT]`` of the BMC."""
        return self._base

    @property
    def system_path(self) -> str:
        """The system's path at the BMC; empty until one was found by its serial number."""
        return self._path

    @property
    def login(self) -> Login:
        """With whom railbed speaks to it."""
        return self._login

    def hide(self, secret: str) -> None:
        """Keeps ``secret`` out of every later error, whoever repeats it."""
        self._hidden.add(secret)

    def act(self, what: str, effect: Callable[[Any], T]) -> T:
        """``effect(system)`` on the machine's ``sushy`` system, once its serial number was read and is the right one.

        Repeated with growing pauses while the BMC is busy or away; ``effect`` must bear that. Raises IdentityError
        before anything is done to another machine, and BmcError when the BMC refuses or stays silent.
        """
        pause = self.patience.first_pause_s
        for left in range(self.patience.tries - 1, -1, -1):
            try:
                return effect(self._system())
            except (exceptions.SushyError, requests.RequestException) as problem:
                if not left or not self._passing(problem):
                    raise self._explained(what, problem) from None
            time.sleep(max(pause, min(self._connector.retry_after_s, self.patience.longest_pause_s)))
            pause = min(2 * pause, self.patience.longest_pause_s)
        raise AssertionError("the last try returns or raises")

    def root(self) -> Any:
        """The service root; only for reading."""
        if self._root is None:
            self._root = sushy.Sushy(
                self._base, root_prefix=ROOT, connector=self._connector,
                auth=auth.BasicAuth(self._login.user, self._login.password),
            )  # fmt: skip
        return self._root

    def _system(self) -> Any:
        if self._path:
            system = self.root().get_system(self._path)
            if system.serial_number != self.target.serial:
                raise IdentityError(self.target, [system.serial_number or "none"])
            return system
        serials: list[str] = []
        unread: exceptions.SushyError | None = None
        for path in self.root().get_system_collection().members_identities:
            try:
                system = self.root().get_system(path)
            except exceptions.HTTPError as problem:
                unread = problem
                continue
            if system.serial_number == self.target.serial:
                self._path = path
                return system
            serials.append(system.serial_number or "none")
        if unread is not None:
            raise unread
        raise IdentityError(self.target, serials)

    def _passing(self, problem: Exception) -> bool:
        if isinstance(problem, exceptions.HTTPError):
            status = problem.status_code or 0
            if self._connector.check_retry_on_exception(problem.message):
                return True
            return status in REPEATED or (status >= 500 and status not in NEVER)
        if isinstance(problem, exceptions.ConnectionError):
            return not isinstance(problem.__context__, requests.exceptions.SSLError)
        return False

    def _explained(self, what: str, problem: Exception) -> BmcError:
        target, said = self.target, self._scrubbed(str(problem))
        if isinstance(problem, exceptions.AccessError):
            return BmcError(
                target, f"the BMC refused user {self._login.user!r} ({what})", code="BMC_REFUSED",
                found=f"HTTP {problem.status_code}", allowed="an administrator of the BMC",
                hint="check user and password; it was not tried again, so that the account is not locked",
            )  # fmt: skip
        if isinstance(problem, exceptions.ConnectionError):
            return self._unreached(what, problem, said)
        if isinstance(problem, exceptions.MissingAttributeError | exceptions.ResourceNotFoundError):
            return BmcError(
                target, f"the BMC does not offer this ({what})", code="BMC_LACKS", found=said,
                hint="update the BMC's firmware, or do this step by hand",
            )  # fmt: skip
        detail = self._scrubbed(str(getattr(problem, "detail", None) or said))
        status = getattr(problem, "status_code", None)
        return BmcError(
            target, f"the BMC failed to {what}: {detail}", code="BMC_ANSWER",
            found=f"HTTP {status}" if status else said,
            hint="look into the BMC's own log; once it is well, run the same again",
        )  # fmt: skip

    def _unreached(self, what: str, problem: Exception, said: str) -> BmcError:
        cause = problem.__context__
        if isinstance(cause, requests.exceptions.SSLError):
            return BmcError(
                self.target, "the BMC's certificate is not trusted; nothing was sent", code="BMC_CERTIFICATE",
                found=said, allowed="one signed by a known authority, or the pinned one",
                hint="name the site's authority or the certificate's SHA-256 fingerprint, read at the machine itself",
            )  # fmt: skip
        waited = self.patience.read_s if isinstance(cause, requests.exceptions.ReadTimeout) else None
        return BmcError(
            self.target,
            f"the BMC did not answer within {waited:g} s ({what})" if waited else f"the BMC cannot be reached ({what})",
            code="BMC_SILENT", found=said, allowed=f"an answer in one of {self.patience.tries} tries",
            hint="check the address, the management network, and that the BMC is not busy with an update",
        )  # fmt: skip

    def _scrubbed(self, text: str) -> str:
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, "…")
        return text
