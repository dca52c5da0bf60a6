"""Virtual machines as hosts of the lab: the same networks and roles, with a kernel, firmware and PCI devices of their own."""
