"""Program of Ironic's own Python environment: conductor, API and file server in one process that ends with its input.

usage: embedded.py --config-file FILE         the section ``[railbed]`` is read here, the rest by Ironic

Ironic never compares a serial number, so every way to a Redfish system is wrapped: a BMC whose system is another machine gets
no request but that one look. The program ends when its standard input does, so it never outlives the railbed that started it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

os.umask(0o077)  # before anything is written: database, images and logs hold passwords and host keys

import bcrypt  # noqa: E402
from cheroot import wsgi  # noqa: E402
from cheroot.ssl.builtin import BuiltinSSLAdapter  # noqa: E402
from ironic.command import singleprocess  # noqa: E402, F401 - imported first, it selects the threads that the rest runs on
from ironic.common import exception, service  # noqa: E402
from ironic.conductor import rpc_service  # noqa: E402
from ironic.db import migration  # noqa: E402
from ironic.drivers.modules.redfish import utils  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402
from oslo_service import service as processes  # noqa: E402
from webob.static import DirectoryApp  # noqa: E402

DATABASE = "ironic.sqlite"
SERIAL = "railbed_serial"
"""Key of ``extra`` at the node: the serial number that its machine must show."""
GRACE_S = 10.0
LOCKED_S = 5.0
DAMAGED, HELD = "DATABASE DAMAGED", "DATABASE HELD"
"""What the starter looks for in the last word."""
CONF = cfg.CONF


def guard() -> None:
    """Wraps what leads to a machine: the system itself, and the update service, which is the whole BMC's."""
    system_of, updates_of = utils.get_system, utils.get_update_service

    def get_system(node: Any) -> Any:
        system = system_of(node)
        wanted = node.extra.get(SERIAL)
        if not wanted or system.serial_number != wanted:
            raise exception.RedfishError(
                error=f"MACHINE_IDENTITY: serial {system.serial_number!r}, allowed {wanted!r}; nothing was done"
            )
        return system

    def get_update_service(node: Any) -> Any:
        get_system(node)
        return updates_of(node)

    utils.get_system, utils.get_update_service = get_system, get_update_service


def serve_files() -> None:
    """BMCs fetch their images here; ranges are served, folders are not listed."""
    own = CONF.railbed
    server = wsgi.Server((CONF.api.host_ip, own.files_port), DirectoryApp(own.files, index_page=None))
    server.ssl_adapter = BuiltinSSLAdapter(CONF.api.cert_file, CONF.api.key_file)
    server.prepare()
    threading.Thread(target=server.serve, name="files", daemon=True).start()


def admit() -> None:
    """The first line of the input is the password of the API's one user; only its bcrypt digest is written."""
    password = sys.stdin.buffer.readline().rstrip(b"\n")
    digest = bcrypt.hashpw(password, bcrypt.gensalt(10)).decode()
    Path(CONF.http_basic_auth_user_file).write_text(f"{CONF.railbed.user}:{digest}\n")


def require_whole(file: Path) -> None:
    """Ends the program where the database of an earlier run is damaged, or somebody holds it; the reason is its last word."""
    if not file.exists():
        return
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=LOCKED_S) as database:
            said = [row[0] for row in database.execute("PRAGMA quick_check")]
    except sqlite3.OperationalError as held:
        sys.exit(f"{HELD}: {held}")
    except sqlite3.DatabaseError as damage:
        sys.exit(f"{DAMAGED}: {damage}")
    if said != ["ok"]:
        sys.exit(f"{DAMAGED}: {said[0]}")


def make_tables() -> None:
    """The database's tables, unless they are whole; those of a start that was killed are finished."""
    if migration.version() is not None:
        return
    migration.create_schema()
    for (
        logger
    ) in logging.root.manager.loggerDict.values():  # its migration tool silences those of everybody else
        if isinstance(logger, logging.Logger):
            logger.disabled = False
    log.setup(CONF, "ironic")


def end_with_input(launcher: Any) -> None:
    """The end of the input is the end of railbed, however it came: half-made steps are found by the next start."""
    sys.stdin.buffer.read()
    threading.Timer(GRACE_S, os._exit, [1]).start()
    launcher.stop()
    os._exit(0)


def main() -> int:
    """Runs until its input ends."""
    own = [cfg.PortOpt("files_port"), cfg.ListOpt("folders"), *map(cfg.StrOpt, ("state", "files", "user"))]
    first = cfg.ConfigOpts()
    first.register_opts(own, group="railbed")
    first(sys.argv[1:], project="ironic")
    for folder in first.railbed.folders:  # here, since root writes nothing where this user could lay a link
        Path(first.railbed.state, folder).mkdir(exist_ok=True)
    require_whole(Path(first.railbed.state, DATABASE))
    CONF.register_opts(own, group="railbed")
    service.prepare_service("ironic", sys.argv)
    guard()
    admit()
    make_tables()
    serve_files()
    launcher = processes.Launcher(CONF)
    threading.Thread(target=end_with_input, args=(launcher,), daemon=True).start()
    manager = rpc_service.RPCService(
        CONF.host, "ironic.conductor.manager", "ConductorManager", embed_api=True
    )
    launcher.launch_service(manager)
    launcher.wait()
    return 1


if __name__ == "__main__":
    sys.exit(main())
