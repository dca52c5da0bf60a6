"""Whether PAM would let accounts log in over SSH: the account part of the service's stack, as sshd asks it.

``login_probe.py [--folder FOLDER] SERVICE ACCOUNT…``; FOLDER is another one than /etc/pam.d. Prints one JSON object:
account → ``status`` (0: let in; the numbers of pam(3)) and its ``messages``. Nobody is authenticated and no session
begins.
"""

from __future__ import annotations

import argparse
import ctypes
import json
from typing import Any

LIBRARY = "libpam.so.0"


class Message(ctypes.Structure):
    """``struct pam_message`` of pam_conv(3)."""

    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class Response(ctypes.Structure):
    """``struct pam_response`` of pam_conv(3)."""

    _fields_ = [("text", ctypes.c_void_p), ("unused", ctypes.c_int)]


CALL = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(Message)), ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p
)  # fmt: skip


class Conversation(ctypes.Structure):
    """``struct pam_conv`` of pam_conv(3)."""

    _fields_ = [("call", CALL), ("data", ctypes.c_void_p)]


def ask(service: str, account: str, folder: str = "") -> dict[str, Any]:
    """What the account management of ``service`` says of one account."""
    # To all, as where a program is linked with it: pam_slurm_adopt does not name the library that it needs.
    pam, c = ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL), ctypes.CDLL(None)
    c.calloc.restype = ctypes.c_void_p
    texts: list[str] = []

    def talk(count: int, messages: Any, responses: Any, _: Any) -> int:
        texts.extend((messages[i].contents.text or b"").decode(errors="replace") for i in range(count))
        # PAM frees it.
        responses[0] = c.calloc(ctypes.c_size_t(count), ctypes.c_size_t(ctypes.sizeof(Response)))
        return 0

    call = CALL(talk)
    conversation, handle = Conversation(call, None), ctypes.c_void_p()
    given = (service.encode(), account.encode(), ctypes.byref(conversation))
    if folder:
        status = pam.pam_start_confdir(*given, folder.encode(), ctypes.byref(handle))
    else:
        status = pam.pam_start(*given, ctypes.byref(handle))
    if status == 0:
        status = pam.pam_acct_mgmt(handle, 0)
        pam.pam_end(handle, status)
    return {"status": status, "messages": texts}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default="")
    parser.add_argument("service")
    parser.add_argument("accounts", nargs="+")
    given = parser.parse_args()
    print(json.dumps({one: ask(given.service, one, given.folder) for one in given.accounts}))


if __name__ == "__main__":
    main()
