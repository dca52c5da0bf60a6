"""Settings of the embedded Ironic: one process, no message bus, nothing done by itself, nothing but its own folder written."""

from __future__ import annotations

import configparser
import io
from dataclasses import dataclass
from pathlib import Path

USER = "railbed"
FOLDERS = (
    "files",
    "images",
    "master",
    "master-iso",
    "tftp",
    "tftp-master",
    "certificates",
    "logs",
    "tmp",
)
"""Below ``STATE``; Ironic makes none of them, the program that starts it does."""
STATE = "state"
"""What Ironic's own user writes, and nobody else; the rest of the folder it only reads."""
CONSOLES = "console=tty0 console=ttyS0,115200n8"
"""Where the ramdisk speaks: the screen, and the serial line that BMCs show."""
AGENT_TRUSTS = "agent-authorities.pem"
"""Certificates that the agent on a machine trusts, for the API as for the image's server: it knows one file for both (``cafile``,
ironic-python-agent 13.0.0)."""


@dataclass(frozen=True)
class Where:
    """This machine's address on the provisioning network, and the two ports that machines and BMCs reach there."""

    address: str
    port: int
    files_port: int

    @property
    def url(self) -> str:
        """Of the API."""
        return f"https://{self.address}:{self.port}"

    @property
    def files_url(self) -> str:
        return f"https://{self.address}:{self.files_port}"


def rendered(folder: Path, where: Where, authorities: str, token: str) -> str:
    """``ironic.conf`` (docs.openstack.org/ironic, configuration options) for a state folder.

    ``authorities``: file of those that signed the image server's certificate; empty: the system's own. ``token``: where files
    are served; Ironic names them after nodes, and discs hold host keys.
    """
    state = folder / STATE
    files = state / "files"
    own: dict[str, dict[str, object]] = {
        "DEFAULT": {
            "host": USER, "my_ip": where.address, "state_path": state, "tempdir": state / "tmp",
            "log_file": state / "logs/ironic.log", "rpc_transport": "none",
            "auth_strategy": "http_basic", "http_basic_auth_user_file": state / "users",
            "webserver_verify_ca": authorities or "True",
            "enabled_hardware_types": "redfish", "enabled_boot_interfaces": "redfish-virtual-media",
            "enabled_bios_interfaces": "redfish,no-bios", "enabled_console_interfaces": "no-console",
            "enabled_deploy_interfaces": "direct,ramdisk", "enabled_firmware_interfaces": "redfish,no-firmware",
            "enabled_inspect_interfaces": "redfish,no-inspect", "enabled_management_interfaces": "redfish",
            "enabled_network_interfaces": "noop", "enabled_power_interfaces": "redfish",
            "enabled_raid_interfaces": "agent,no-raid", "enabled_rescue_interfaces": "no-rescue",
            "enabled_storage_interfaces": "noop", "enabled_vendor_interfaces": "no-vendor",
            "default_deploy_interface": "direct", "default_inspect_interface": "redfish",
        },
        "api": {
            "host_ip": where.address, "port": where.port, "public_endpoint": where.url, "api_workers": 1,
            "enable_ssl_api": True, "cert_file": folder / "certificate.pem", "key_file": folder / "key.pem",
        },
        "database": {"connection": f"sqlite:///{state}/ironic.sqlite"},
        # Nothing happens that railbed did not ask for: no cleaning on the way, no power that is put back behind people.
        "conductor": {
            "automated_clean": False, "sync_power_state_interval": 0, "force_power_state_during_sync": False,
            "file_url_allowed_paths": folder / "agent", "deploy_callback_timeout": 3600, "clean_callback_timeout": 0,
            # The kernel unpacks the ramdisk itself: each BMC fetches a disc of 150 MB and not of 490.
            "disable_zstandard_decompression": True,
        },
        "deploy": {
            "http_root": files / token, "http_url": f"{where.files_url}/{token}", "iso_master_path": state / "master-iso",
            "default_boot_mode": "uefi", "erase_devices_priority": 0, "erase_devices_metadata_priority": 0,
        },
        "pxe": {
            "images_path": state / "images", "instance_master_path": state / "master", "tftp_root": state / "tftp",
            "tftp_master_path": state / "tftp-master",
        },
        "agent": {
            "certificates_path": state / "certificates", "deploy_logs_local_path": state / "logs",
            "api_ca_file": folder / AGENT_TRUSTS, "require_tls": True,
        },
        "dhcp": {"dhcp_provider": "none"},
        "redfish": {
            "connection_attempts": 2, "connection_retry_interval": 2, "use_swift": False,
            "firmware_update_status_interval": 10, "kernel_append_params": f"nofb vga=normal {CONSOLES}",
        },
        "service_catalog": {"auth_type": "none", "endpoint_override": where.url},
        "inventory": {"data_backend": "database"},
        "railbed": {
            "state": state, "files": files, "files_port": where.files_port, "user": USER,
            "folders": ",".join([*FOLDERS, f"files/{token}"]),
        },
    }  # fmt: skip
    ini = configparser.RawConfigParser(interpolation=None)
    # oslo.config replaces `$name` in values.
    ini.read_dict({
        part: {name: str(value).replace("$", "$$") for name, value in values.items()} for part, values in own.items()
    })  # fmt: skip
    text = io.StringIO()
    ini.write(text)
    return text.getvalue()
