"""Microsoft Azure: scale sets with InfiniBand, Managed Lustre, disks under a key of the cluster's own."""
