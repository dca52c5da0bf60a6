"""The ramdisk with ironic-python-agent that Ironic boots machines into, built on this machine from Debian and PyPI."""
