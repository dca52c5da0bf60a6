"""Accounts and groups of the system: nobody's login, and no tenant's name."""

from __future__ import annotations

SERVICE_LOGINS = (
    "_apt", "_chrony", "_rpc", "adm", "apache", "avahi", "backup", "bin", "ceph", "chrony", "clevis",
    "cockpit-ws", "colord", "daemon", "dbus", "dnsmasq", "ftp", "fwupd-refresh", "games", "geoclue", "gnats",
    "halt", "irc", "landscape", "libstoragemgmt", "libvirt-qemu", "list", "lp", "lxd", "mail", "man",
    "messagebus", "mfs", "munge", "mysql", "news", "nobody", "nvidia-dcgm", "nvidia-imex",
    "nvidia-persistenced", "operator", "polkitd", "pollinate", "postfix", "postgres", "prometheus", "proxy",
    "railbed", "root", "rpc", "rpcuser", "rtkit", "saned", "setroubleshoot", "shutdown", "slurm", "slurmrestd",
    "sshd", "sssd", "statd", "sync", "sys", "syslog", "systemd-coredump", "systemd-journal-remote",
    "systemd-network", "systemd-oom", "systemd-resolve", "systemd-timesync", "tcpdump", "tss", "unbound",
    "usbmux", "uucp", "uuidd", "www-data",
)  # fmt: skip
"""Accounts of Debian, Ubuntu and of what the roles install: as a person's login they would get another id, shell and
root. Role users has the same list (``users_reserved``)."""

SERVICE_GROUPS = (
    "audio", "cdrom", "crontab", "dialout", "dip", "disk", "docker", "fax", "floppy", "input", "kmem", "kvm", "lpadmin",
    "netdev", "nogroup", "plugdev", "plocate", "rdma", "render", "sasl", "scanner", "sgx", "shadow", "src", "ssl-cert",
    "staff", "sudo", "systemd-journal", "tape", "tty", "users", "utmp", "video", "voice", "wheel",
)  # fmt: skip
"""Groups of Debian and Ubuntu beside those of the accounts; being in some of them is being root."""
SCHEDULER_NAMES = ("normal", "operators")
"""What Slurm calls the QOS that it makes itself, and railbed the account of admins."""
