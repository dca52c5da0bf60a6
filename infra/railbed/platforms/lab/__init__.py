"""The lab: a real cluster of systemd-nspawn hosts on one machine."""
