"""Google Compute Engine: RDMA networks, managed instance groups, Managed Lustre."""
